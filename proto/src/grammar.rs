//! The character classes of RFC 9110 §5.6.2 and §5.5 and RFC 3986, as one table of bits.

use crate::work;

/// `tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~"
/// / DIGIT / ALPHA` (RFC 9110 §5.6.2).
const TCHAR: u8 = 1;
/// `field-vchar / SP / HTAB`, `field-vchar = VCHAR / obs-text` (RFC 9110 §5.5).
const FIELD_CONTENT: u8 = 1 << 1;
/// What may stand in a request target: every VCHAR but `#`. RFC 3986 allows fewer, but clients
/// send `|`, `"` or `{` as they are and no framing hangs on them (RFC 9112 §3.2).
const TARGET: u8 = 1 << 2;
/// `unreserved / sub-delims / "%"`: a registered name (RFC 3986 §3.2.2), percent triplets
/// checked elsewhere.
const REG_NAME: u8 = 1 << 3;

/// [`TARGET`] without `%`.
const PLAIN_TARGET: u8 = 1 << 4;

/// [`REG_NAME`] without `%`.
const PLAIN_NAME: u8 = 1 << 5;

static CLASS: [u8; 256] = build();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated at compile time: an error here does not compile"
)]
const fn build() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "i < 256")]
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        let mut class = 0;
        if alnum
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            class |= TCHAR;
        }
        if b == b'\t' || b == b' ' || b.is_ascii_graphic() || b >= 0x80 {
            class |= FIELD_CONTENT;
        }
        if b.is_ascii_graphic() && b != b'#' {
            class |= TARGET;
            if b != b'%' {
                class |= PLAIN_TARGET;
            }
        }
        if alnum
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b'%'
            )
        {
            class |= REG_NAME;
            if b != b'%' {
                class |= PLAIN_NAME;
            }
        }
        table[i] = class;
        i += 1;
    }
    table
}

#[inline]
fn is(b: u8, class: u8) -> bool {
    work::step(1);
    #[expect(clippy::indexing_slicing, reason = "a u8 always indexes a table of 256")]
    let bits = CLASS[b as usize];
    bits & class != 0
}

/// Where `byte` is first.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let at = memchr::memchr(byte, bytes);
    work::step(at.unwrap_or(bytes.len()));
    at
}

/// Whether `b` may stand in a token.
#[inline]
pub(crate) fn is_tchar(b: u8) -> bool {
    is(b, TCHAR)
}

/// How many bytes from the beginning are of that class.
///
/// Eight at a time, so that the end of the slice is looked for once in eight bytes.
#[inline(always)]
fn run(bytes: &[u8], class: u8) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        if let Some(at) = block.iter().position(|&b| !is(b, class)) {
            return bytes.len().wrapping_sub(rest.len()).wrapping_add(at);
        }
        rest = after;
    }
    let at = rest.iter().position(|&b| !is(b, class)).unwrap_or(rest.len());
    bytes.len().wrapping_sub(rest.len()).wrapping_add(at)
}

/// [`token_len`] within 32 bytes.
#[inline(always)]
pub(crate) fn token_len_32(bytes: &[u8; 32]) -> usize {
    bytes.iter().position(|&b| !is(b, TCHAR)).unwrap_or(bytes.len())
}

/// How long the token is that `bytes` begins with; 0 if it begins with none.
#[inline]
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    run(bytes, TCHAR)
}

/// Whether `bytes` is a token: one or more [`is_tchar`].
#[inline]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_len(bytes) == bytes.len()
}

/// `bytes` without the SP and HTAB around it: `OWS field-value OWS` (RFC 9112 §5).
#[inline]
pub(crate) fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        work::step(1);
        bytes = rest;
    }
    bytes
}

/// Whether every byte may stand in a field value.
///
/// Eight bytes at a time: a control byte other than HTAB, or DEL, shows as a set high bit in one
/// of the lanes.
#[inline]
pub(crate) fn is_field_content(mut bytes: &[u8]) -> bool {
    while let Some((block, rest)) = bytes.split_first_chunk::<8>() {
        work::step(block.len());
        // A word with a byte in question is looked at again byte by byte.
        if suspicious(u64::from_ne_bytes(*block)) && !block.iter().all(|&b| is(b, FIELD_CONTENT)) {
            return false;
        }
        bytes = rest;
    }
    bytes.iter().all(|&b| is(b, FIELD_CONTENT))
}

/// How many bytes from the beginning are visible ASCII or SP: field content in any case.
///
/// Sixteen bytes at a time as long as all of them are, then eight.
#[inline(always)]
pub(crate) fn plain_text_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if !all_plain(block) {
            break;
        }
        rest = after;
    }
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        work::step(8);
        let flags = not_plain(u64::from_le_bytes(*block));
        if flags != 0 {
            let at = (flags.trailing_zeros() >> 3) as usize;
            return bytes.len().wrapping_sub(rest.len()).wrapping_add(at);
        }
        rest = after;
    }
    let at = rest.iter().position(|&b| !matches!(b, b' '..=b'~')).unwrap_or(rest.len());
    bytes.len().wrapping_sub(rest.len()).wrapping_add(at)
}

/// Whether all are visible ASCII or SP. Plain enough for the compiler to take all lanes at once: one
/// more than DEL and what is above is negative.
#[inline(always)]
fn all_plain(block: &[u8; 16]) -> bool {
    work::step(16);
    block.iter().fold(true, |plain, &b| plain & ((b.wrapping_add(1) as i8) > 0x20))
}

/// The high bits of the lanes that are not visible ASCII or SP. `- 0x20` sets it for what is below SP,
/// `+ 1` for DEL and above. A carry into another lane comes from a lane that is flagged itself, so the
/// first flag is right, and there is one if there has to be.
#[inline(always)]
const fn not_plain(word: u64) -> u64 {
    (word.wrapping_sub(SPACES) | word.wrapping_add(ONES)) & HIGH
}

const ONES: u64 = 0x0101_0101_0101_0101;
const SPACES: u64 = 0x2020_2020_2020_2020;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether some byte of `word` might be below 0x20 or equal to 0x7F. May err towards yes.
#[inline]
fn suspicious(word: u64) -> bool {
    let below = word.wrapping_sub(SPACES) & !word;
    let delete = word ^ ONES.wrapping_mul(0x7F);
    let delete = delete.wrapping_sub(ONES) & !delete;
    (below | delete) & HIGH != 0
}

/// How many bytes from the beginning may stand in a request target whatever is beside them: all but
/// `%`.
#[inline(always)]
pub(crate) fn plain_target_len(bytes: &[u8]) -> usize {
    run(bytes, PLAIN_TARGET)
}

/// Whether every byte may stand in a request target and every `%` starts a triplet of `%` and two
/// hexadecimal digits (RFC 3986 §2.1).
#[inline]
pub(crate) fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is(b, TARGET)) && percent_triplets(bytes)
}

fn percent_triplets(mut bytes: &[u8]) -> bool {
    while let Some(at) = find(b'%', bytes) {
        let Some((_, rest)) = bytes.split_at_checked(at) else {
            return true;
        };
        let Some(([_, high, low], rest)) = rest.split_first_chunk::<3>() else {
            return false;
        };
        if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
            return false;
        }
        bytes = rest;
    }
    true
}

/// `uri-host [ ":" port ]` with a host that is not empty (RFC 9110 §7.2, RFC 3986 §3.2.2). No
/// userinfo.
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    // A host that ends with the field or at a colon, and nothing about it has to be asked.
    let plain = run(bytes, PLAIN_NAME);
    let (host, port) = match bytes.split_at_checked(plain) {
        Some(([_, ..], [])) => return true,
        Some(([_, ..], [b':', port @ ..])) => return is_port(port),
        _ => split_port(bytes),
    };
    port.is_none_or(is_port)
        && (is_ip_literal(host)
            || (!host.is_empty() && host.iter().all(|&b| is(b, REG_NAME)) && percent_triplets(host)))
}

/// `port = *DIGIT` (RFC 3986 §3.2.3), at most 65535.
fn is_port(digits: &[u8]) -> bool {
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number.wrapping_mul(10).wrapping_add(u32::from(digit)))
    });
    digits.len() <= 5 && number.is_some_and(|number| number <= 65_535)
}

/// Splits `host:port` at the first colon that is not part of an address in brackets.
pub(crate) fn split_port(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let literal = match bytes {
        [b'[', ..] => find(b']', bytes).unwrap_or(bytes.len()),
        _ => 0,
    };
    let after = bytes.get(literal..).unwrap_or_default();
    let Some(colon) = after.iter().position(|&b| b == b':') else {
        return (bytes, None);
    };
    match bytes.split_at_checked(literal.saturating_add(colon)) {
        Some((host, [_, port @ ..])) => (host, Some(port)),
        _ => (bytes, None),
    }
}

/// `"[" ( IPv6address / IPvFuture ) "]"`; of the latter only its characters are checked.
fn is_ip_literal(host: &[u8]) -> bool {
    let [b'[', inner @ .., b']'] = host else {
        return false;
    };
    let Ok(text) = core::str::from_utf8(inner) else {
        return false;
    };
    text.parse::<core::net::Ipv6Addr>().is_ok() || is_ip_future(inner)
}

/// `IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )` (RFC 3986 §3.2.2)
fn is_ip_future(inner: &[u8]) -> bool {
    let Some((version, address)) = find(b'.', inner).and_then(|dot| inner.split_at_checked(dot)) else {
        return false;
    };
    matches!(version, [b'v' | b'V', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit))
        && address.len() > 1
        && address.iter().skip(1).all(|&b| b == b':' || (b != b'%' && is(b, REG_NAME)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_suspicious_exactly_where_the_table_refuses_or_it_holds_a_tab() {
        for b in 0..=255_u8 {
            for lane in 0..8 {
                let mut block = [b'a'; 8];
                block[lane] = b;
                if !is(b, FIELD_CONTENT) {
                    assert!(suspicious(u64::from_ne_bytes(block)), "{b:#x} in lane {lane}");
                }
                assert_eq!(is_field_content(&block), is(b, FIELD_CONTENT), "{b:#x} in lane {lane}");
            }
        }
    }

    #[test]
    fn authorities() {
        for good in [
            "a",
            "a.example:80",
            "a:",
            "127.0.0.1:65535",
            "[::1]",
            "[::1]:8080",
            "x_y",
            "a%20b",
            "[v1.a:b]:80",
            "[V1F.a]",
        ] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a@b",
            "a:b",
            "a:65536",
            "a:123456",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "[v.a]",
            "[v1.]",
            "[v1]",
            "[vg.a]",
            "[v1.%41]",
            "a b",
            "a/b",
            "a%2",
            "::1",
            "a,b:c",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }
}
