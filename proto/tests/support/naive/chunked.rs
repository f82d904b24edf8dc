//! Chunked bodies (RFC 9112 §7.1).

use sinew_proto::{Config, RecvError};

use super::data;
use super::lines::{Fields, Read, Stop, blank, field_content, fields, tchar, text, wrong};

/// §7.1: `chunked-body = *chunk last-chunk trailer-section CRLF`. Returns what follows.
pub(super) fn chunked<'w>(
    mut rest: &'w [u8],
    config: &Config,
    content: &mut Vec<u8>,
    trailers: &mut Fields<'w>,
) -> Read<&'w [u8]> {
    let mut budget = config.max_chunk_extension_bytes as usize;
    loop {
        let size = chunk_line(&mut rest, &mut budget)?;
        if size == 0 {
            break;
        }
        rest = data(rest, size, content)?;
        literal(&mut rest, b"\r\n", RecvError::InvalidChunkEnd)?;
    }
    // §7.1.2. RFC 9110 §6.5.1: they are kept apart from the head.
    let limit = config.max_trailer_bytes as usize;
    let end;
    (*trailers, end) = fields(rest, 0, limit, RecvError::TrailersTooLarge, config)?;
    Ok(&rest[end..])
}

/// §7.1: `chunk-size [ chunk-ext ] CRLF`, `chunk-size = 1*HEXDIG`. Stricter: 16 digits, no blank
/// after them, and a budget for what is not needed: zeros in front and extensions.
fn chunk_line(rest: &mut &[u8], budget: &mut usize) -> Read<u64> {
    let digits = take(rest, |b| b.is_ascii_hexdigit());
    let first = &digits[..digits.len().min(16)];
    let zeros = first.iter().take_while(|&&b| b == b'0').count();
    let needless = if zeros == first.len() { zeros.saturating_sub(1) } else { zeros };
    *budget = budget.checked_sub(needless).ok_or(Stop::Wrong(vec![RecvError::ChunkExtensionsTooLarge]))?;
    match rest.first() {
        _ if digits.len() > 16 => return wrong(RecvError::InvalidChunkSize),
        None => return Err(Stop::Short),
        Some(b'\r' | b';') if !digits.is_empty() => {}
        Some(_) => return wrong(RecvError::InvalidChunkSize),
    }
    let before = rest.len();
    let well_formed = extensions(rest);
    *budget = budget
        .checked_sub(before - rest.len())
        .ok_or(Stop::Wrong(vec![RecvError::ChunkExtensionsTooLarge]))?;
    well_formed?;
    literal(rest, b"\r\n", RecvError::InvalidChunkLine)?;
    u64::from_str_radix(text(digits), 16).or(wrong(RecvError::InvalidChunkSize))
}

/// §7.1.1: `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`, up to the CR. Leaves
/// `rest` at the byte that does not fit, if there is one.
fn extensions(rest: &mut &[u8]) -> Read<()> {
    while rest.first() != Some(&b'\r') {
        take(rest, blank);
        literal(rest, b";", RecvError::InvalidChunkLine)?;
        take(rest, blank);
        one_or_more(rest, tchar)?;
        let name_end = *rest;
        take(rest, blank);
        if rest.first() != Some(&b'=') {
            *rest = name_end;
            continue;
        }
        literal(rest, b"=", RecvError::InvalidChunkLine)?;
        take(rest, blank);
        if rest.first() == Some(&b'"') { quoted_string(rest)? } else { one_or_more(rest, tchar)? }
    }
    Ok(())
}

/// RFC 9110 §5.6.4: `quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE`
fn quoted_string(rest: &mut &[u8]) -> Read<()> {
    literal(rest, b"\"", RecvError::InvalidChunkLine)?;
    loop {
        take(rest, |b| field_content(b) && b != b'"' && b != b'\\');
        if rest.first() != Some(&b'\\') {
            return literal(rest, b"\"", RecvError::InvalidChunkLine);
        }
        literal(rest, b"\\", RecvError::InvalidChunkLine)?;
        match rest.split_first() {
            None => return Err(Stop::Short),
            Some((&b, after)) if field_content(b) => *rest = after,
            Some(_) => return wrong(RecvError::InvalidChunkLine),
        }
    }
}

fn one_or_more(rest: &mut &[u8], class: fn(u8) -> bool) -> Read<()> {
    match (take(rest, class), &rest[..]) {
        ([], []) => Err(Stop::Short),
        ([], _) => wrong(RecvError::InvalidChunkLine),
        _ => Ok(()),
    }
}

/// The bytes of that class at the beginning, cut off.
fn take<'w>(rest: &mut &'w [u8], class: impl Fn(u8) -> bool) -> &'w [u8] {
    let (taken, after) = rest.split_at(rest.iter().take_while(|&&b| class(b)).count());
    *rest = after;
    taken
}

/// Exactly these bytes, cut off.
fn literal(rest: &mut &[u8], bytes: &[u8], error: RecvError) -> Read<()> {
    for expected in bytes {
        match rest.split_first() {
            None => return Err(Stop::Short),
            Some((found, after)) if found == expected => *rest = after,
            Some(_) => return wrong(error),
        }
    }
    Ok(())
}
