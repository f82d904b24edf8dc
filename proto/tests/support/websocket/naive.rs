//! A second reader of frames, written from the text of RFC 6455 and RFC 3629: over a whole byte
//! string, without any state but the place in it, and slow.
//!
//! It knows the order in which faults are found: that of the bytes. The reserved bits, the opcode and
//! the final bit are in the first byte, the mask bit and a length for control frames in the second,
//! then comes the length; what depends on the messages before is judged when the header is complete.

use sinew_proto::websocket::{Config, MessageKind, ProtocolError};

use super::driver::{Role, Seen};

/// What a side of that role sees in `bytes`; `end` if nothing comes after them.
pub(crate) fn read(role: Role, config: &Config, bytes: &[u8], end: bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let last = match events(role, config, bytes, &mut seen) {
        Ok(true) => Seen::Closed,
        Ok(false) if !end => Seen::NeedInput,
        Ok(false) => {
            Seen::Error(ProtocolError::UnexpectedEnd).push_to(&mut seen);
            Seen::Closed
        }
        Err(error) => {
            Seen::Error(error).push_to(&mut seen);
            Seen::Closed
        }
    };
    last.push_to(&mut seen);
    seen
}

/// Whether a close frame ended it.
fn events(role: Role, config: &Config, bytes: &[u8], seen: &mut Vec<Seen>) -> Result<bool, ProtocolError> {
    let mut rest = bytes;
    // Kind, bytes and frames of the message that has begun.
    let mut begun: Option<(MessageKind, Vec<u8>, u32)> = None;
    while let Some(frame) = header(role.other(), rest)? {
        let available = &rest[frame.size..];
        let complete = available.len() as u64 >= frame.length;
        let length = if complete { usize::try_from(frame.length).unwrap() } else { available.len() };
        let payload: Vec<u8> =
            available[..length].iter().zip(frame.key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        if frame.opcode >= 8 {
            if !complete {
                return Ok(false);
            }
            rest = &available[length..];
            match frame.opcode {
                9 => seen.push(Seen::Ping(payload)),
                10 => seen.push(Seen::Pong(payload)),
                _ => {
                    seen.push(Seen::Close(close(&payload)?));
                    return Ok(true);
                }
            }
            continue;
        }
        let (kind, mut message, frames) = match (frame.opcode, begun.take()) {
            (0, None) => return Err(ProtocolError::UnexpectedContinuation),
            (0, Some(message)) => message,
            (_, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (1, None) => (MessageKind::Text, Vec::new(), 0),
            (_, None) => (MessageKind::Binary, Vec::new(), 0),
        };
        // Without an extension it means nothing.
        if frame.reserved_1 {
            return Err(ProtocolError::ReservedBits);
        }
        if frame.length > config.max_frame_bytes {
            return Err(ProtocolError::FrameTooLarge);
        }
        if message.len() as u64 + frame.length > config.max_message_bytes {
            return Err(ProtocolError::MessageTooLarge);
        }
        if frames + 1 > config.max_fragments {
            return Err(ProtocolError::TooManyFragments);
        }
        message.extend_from_slice(&payload);
        let last = complete && frame.fin;
        if kind == MessageKind::Text {
            match utf8(&message) {
                Some(true) => {}
                Some(false) if !last => {}
                _ => return Err(ProtocolError::InvalidUtf8),
            }
        }
        if config.stream && (last || !payload.is_empty()) {
            Seen::Piece(kind, payload, last).push_to(seen);
        } else if last {
            let text = kind == MessageKind::Text;
            seen.push(if text { Seen::Text(message.clone()) } else { Seen::Binary(message.clone()) });
        }
        if !complete {
            return Ok(false);
        }
        if !last {
            begun = Some((kind, message, frames + 1));
        }
        rest = &available[length..];
    }
    Ok(false)
}

struct Header {
    fin: bool,
    reserved_1: bool,
    opcode: u8,
    length: u64,
    key: [u8; 4],
    size: usize,
}

/// The header of a frame from `sender`, or `None` if bytes are missing.
fn header(sender: Role, bytes: &[u8]) -> Result<Option<Header>, ProtocolError> {
    let bit = |byte: u8, from_the_left: u8| byte << from_the_left >> 7 == 1;
    let Some(&first) = bytes.first() else { return Ok(None) };
    let (fin, reserved_1, opcode) = (bit(first, 0), bit(first, 1), first % 16);
    if bit(first, 2) || bit(first, 3) {
        return Err(ProtocolError::ReservedBits);
    }
    if !matches!(opcode, 0..=2 | 8..=10) {
        return Err(ProtocolError::ReservedOpcode);
    }
    if opcode >= 8 && reserved_1 {
        return Err(ProtocolError::ReservedBits);
    }
    if opcode >= 8 && !fin {
        return Err(ProtocolError::FragmentedControl);
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    let masked = bit(second, 0);
    match sender {
        Role::Client if !masked => return Err(ProtocolError::NotMasked),
        Role::Server if masked => return Err(ProtocolError::Masked),
        _ => {}
    }
    let short = second % 128;
    if opcode >= 8 && short > 125 {
        return Err(ProtocolError::ControlTooLong);
    }
    let length_bytes = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(extended) = bytes.get(2..2 + length_bytes) else { return Ok(None) };
    let number = extended.iter().fold(0_u64, |number, byte| number * 256 + u64::from(*byte));
    let length = if length_bytes == 0 { u64::from(short) } else { number };
    let fewest = match length {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    if length_bytes != fewest || length >> 63 == 1 {
        return Err(ProtocolError::InvalidLength);
    }
    let mut size = 2 + length_bytes;
    let mut key = [0; 4];
    if masked {
        let Some(bytes) = bytes.get(size..size + 4) else { return Ok(None) };
        key.copy_from_slice(bytes);
        size += 4;
    }
    Ok(Some(Header { fin, reserved_1, opcode, length, key, size }))
}

fn close(payload: &[u8]) -> Result<Option<(u16, String)>, ProtocolError> {
    if payload.is_empty() {
        return Ok(None);
    }
    if payload.len() == 1 {
        return Err(ProtocolError::InvalidClosePayload);
    }
    let code = u16::from(payload[0]) * 256 + u16::from(payload[1]);
    // RFC 6455 §7.4, and the registry: 1012 to 1014 came later.
    let may_be_sent = match code {
        1004..=1006 | 1015 => false,
        1000..=1014 => true,
        3000..=4999 => true,
        _ => false,
    };
    if !may_be_sent {
        return Err(ProtocolError::InvalidCloseCode);
    }
    let reason = &payload[2..];
    if utf8(reason) != Some(true) {
        return Err(ProtocolError::InvalidCloseReason);
    }
    Ok(Some((code, String::from_utf8(reason.to_vec()).expect("it was judged"))))
}

const TAIL: (u8, u8) = (0x80, 0xbf);

/// RFC 3629 §4, a row for each line of the grammar.
const CHARACTERS: [&[(u8, u8)]; 9] = [
    &[(0x00, 0x7f)],
    &[(0xc2, 0xdf), TAIL],
    &[(0xe0, 0xe0), (0xa0, 0xbf), TAIL],
    &[(0xe1, 0xec), TAIL, TAIL],
    &[(0xed, 0xed), (0x80, 0x9f), TAIL],
    &[(0xee, 0xef), TAIL, TAIL],
    &[(0xf0, 0xf0), (0x90, 0xbf), TAIL, TAIL],
    &[(0xf1, 0xf3), TAIL, TAIL, TAIL],
    &[(0xf4, 0xf4), (0x80, 0x8f), TAIL, TAIL],
];

/// Whether `bytes` are text, `Some(false)` if only the end of the last character is missing.
pub(crate) fn utf8(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let row = CHARACTERS.iter().find(|row| (row[0].0..=row[0].1).contains(&first))?;
        if !row.iter().zip(rest).all(|((low, high), byte)| (low..=high).contains(&byte)) {
            return None;
        }
        if rest.len() < row.len() {
            return Some(false);
        }
        rest = &rest[row.len()..];
    }
    Some(true)
}

/// A frame that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// The frames that `sender` has written, each of them complete and valid by itself.
pub(crate) fn frames(sender: Role, bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let header = header(sender, rest).expect("a valid header").expect("a whole header");
        assert!(!header.reserved_1, "no extension was agreed");
        let end = header.size + usize::try_from(header.length).expect("a frame in memory");
        let payload = rest.get(header.size..end).expect("a whole frame");
        let payload = payload.iter().zip(header.key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frames.push(Frame { fin: header.fin, opcode: header.opcode, payload });
        rest = &rest[end..];
    }
    frames
}
