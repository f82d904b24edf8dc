//! What compression has to do with any bytes, for tests and fuzzing.

use sinew_proto::websocket::deflate_probe::{Compress, Decompress};

/// How a connection compresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) window_bits: u8,
    pub(crate) takeover: bool,
    pub(crate) level: u8,
}

/// Messages, each of some pieces, come out as they went in, on one connection, however the compressed
/// bytes are cut: in pieces of `cut` bytes. Each fits a limit of its own length and no smaller one.
pub(crate) fn round_trip(setting: Setting, messages: &[Vec<&[u8]>], cut: usize) {
    let Setting { window_bits, takeover, level } = setting;
    let mut compress = Compress::new(window_bits, takeover, level);
    let mut decompress = Decompress::new(window_bits, takeover);
    for pieces in messages {
        let mut wire = Vec::new();
        let (last, others) = pieces.split_last().expect("a piece");
        for piece in others {
            compress.push(piece, false, &mut wire).expect("it compresses");
        }
        compress.push(last, true, &mut wire).expect("it compresses");
        assert!(!wire.is_empty() && !wire.ends_with(&[0, 0, 0xff, 0xff]));

        let whole = pieces.concat();
        let mut out = Vec::new();
        for part in wire.chunks(cut.max(1)) {
            assert_eq!(decompress.push(part, &mut out, whole.len()), Ok(()));
        }
        assert_eq!((decompress.finish(), &out), (Ok(()), &whole));
        if !takeover && !whole.is_empty() {
            let mut out = Vec::new();
            let short = Decompress::new(window_bits, true).push(&wire, &mut out, whole.len() - 1);
            assert_eq!((short, &out[..]), (Err("TooLarge"), &whole[..whole.len() - 1]));
        }
    }
}

/// Any bytes, as messages that begin where `ends` says: no panic, no byte over the limit, what comes
/// out does not depend on how they are cut, and nothing comes after an error.
pub(crate) fn any_bytes(bytes: &[u8], message: usize, takeover: bool, limit: usize) {
    let [whole, parts, single] = [usize::MAX, 7, 1].map(|cut| {
        let mut decompress = Decompress::new(15, takeover);
        let mut seen = Vec::new();
        for message in bytes.chunks(message.max(1)) {
            let mut out = Vec::new();
            let pushed = message.chunks(cut).try_for_each(|part| decompress.push(part, &mut out, limit));
            assert!(out.len() <= limit && out.capacity() <= limit.max(2 * out.len()).max(out.len() + 16_384));
            let result = pushed.and_then(|()| decompress.finish());
            seen.push((result, if result.is_ok() { out } else { Vec::new() }));
        }
        let failed = seen.iter().position(|(result, _)| result.is_err()).unwrap_or(seen.len());
        assert!(seen[failed..].iter().all(|(result, _)| *result == seen[failed].0));
        seen
    });
    assert_eq!(whole, parts);
    assert_eq!(whole, single);
}
