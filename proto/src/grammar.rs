//! The character classes of RFC 9110 §5.6.2 and §5.5 and RFC 3986, as one table of bits.
#![expect(clippy::inline_always, reason = "counted: a call costs as much as the short loops in it")]

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

/// How long the token is that `bytes` begins with; 0 if it begins with none.
#[inline]
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    run(bytes, TCHAR)
}

/// [`token_len`] as far as there are letters, digits and `-` alone, as in nearly all field names. Most
/// have fewer than sixteen.
#[inline(always)]
pub(crate) fn plain_name_len(bytes: &[u8]) -> usize {
    let Some((block, after)) = bytes.split_first_chunk::<16>() else {
        return long_plain_name_len(bytes, bytes);
    };
    if let Some(at) = first_wrong(block, not_in_plain_name) {
        return at;
    }
    // Some names have a few bytes more: `X-Forwarded-Proto`, `Upgrade-Insecure-Requests`.
    match after.first_chunk::<16>().map(|block| first_wrong(block, not_in_plain_name)) {
        Some(Some(at)) => at.wrapping_add(16),
        _ => long_plain_name_len(bytes, after),
    }
}

/// Where the first byte of a block stands that is wrong.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "one half, then the other")]
fn first_wrong(block: &[u8; 16], wrong: impl Fn(u8) -> u8) -> Option<usize> {
    work::step(block.len());
    let lanes = lanes(block, wrong);
    let zeros = match (lanes as u64, (lanes >> 64) as u64) {
        (0, 0) => return None,
        (0, high) => high.trailing_zeros() | 64,
        (low, _) => low.trailing_zeros(),
    };
    Some((zeros >> 3) as usize)
}

/// [`plain_name_len`], which is known to be right before `rest`, the end of `bytes`.
#[inline(never)]
fn long_plain_name_len(bytes: &[u8], rest: &[u8]) -> usize {
    bytes.len().wrapping_sub(rest.len()).wrapping_add(right(rest, not_in_plain_name))
}

/// 0 for letters, digits and `-`.
#[inline(always)]
fn not_in_plain_name(b: u8) -> u8 {
    let letter = (b | 0x20).wrapping_sub(b'a').saturating_sub(25);
    let digit = b.wrapping_sub(b'0').saturating_sub(9);
    letter.min(digit).min(b ^ b'-')
}

/// Whether `bytes` is a token: one or more [`is_tchar`].
#[inline]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && (all_right(bytes, not_in_plain_name) || is_odd_token(bytes))
}

/// [`is_token`] where there are other characters than letters, digits and `-`.
#[inline(never)]
fn is_odd_token(bytes: &[u8]) -> bool {
    token_len(bytes) == bytes.len()
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

/// Whether every byte may stand in a field value. As a rule all are visible ASCII or SP.
#[inline]
pub(crate) fn is_field_content(bytes: &[u8]) -> bool {
    let plain = if bytes.len() < 16 {
        short_words(bytes).iter().all(|&word| not_from_to_tilde::<b' ', 0>(word) == 0)
    } else {
        all_right(bytes, not_text)
    };
    plain || bytes.is_empty() || is_odd_field_content(bytes)
}

/// [`is_field_content`] where there is HTAB or a byte from 0x80 on.
#[inline(never)]
fn is_odd_field_content(bytes: &[u8]) -> bool {
    let control = |b: u8| (b ^ b'\t').min(0x20_u8.saturating_sub(b));
    all_right(bytes, |b| control(b) | 1_u8.saturating_sub(b ^ 0x7f))
}

/// 0 for visible ASCII and SP.
#[inline(always)]
fn not_text(b: u8) -> u8 {
    b.wrapping_sub(b' ').saturating_sub(b'~'.wrapping_sub(b' '))
}

/// Whether `wrong` gives 0 for every byte: as [`right`], but the last bytes are a block as well, which
/// overlaps the one before. So are those of a text that is shorter than a block, but not empty.
#[inline(always)]
fn all_right(bytes: &[u8], wrong: impl Fn(u8) -> u8) -> bool {
    work::step(bytes.len());
    let any = |block: &[u8; 16]| block.iter().fold(0, |any, &b| any | wrong(b)) != 0;
    let Some(last) = bytes.last_chunk::<16>() else {
        let [low, high] = short_words(bytes).map(u128::from);
        return !any(&(low | (high << 64)).to_le_bytes());
    };
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if any(block) {
            return false;
        }
        rest = after;
    }
    !any(last)
}

/// The bytes of a text of fewer than sixteen, some of them more than once; zeros if there is none.
#[inline(always)]
fn short_words(bytes: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    let (first, last) = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some(first), Some(last), _) => (u32::from_le_bytes(*first), u32::from_le_bytes(*last)),
        (_, _, [first, .., last]) => {
            let middle = bytes.get(1).copied().unwrap_or_default();
            let word = u32::from_le_bytes([*first, middle, *last, *last]);
            (word, word)
        }
        (_, _, [only]) => {
            let word = u32::from_le_bytes([*only; 4]);
            (word, word)
        }
        _ => (0, 0),
    };
    let word = u64::from(first) | (u64::from(last) << 32);
    [word, word]
}

/// How many bytes from the beginning are right: those for which `wrong` gives 0.
///
/// Sixteen at a time. `wrong` has to be made of arithmetic that the processor does on sixteen bytes at
/// once, as a subtraction that stops at 0: then the compiler takes a block as one vector, and the first
/// byte that is wrong is found without a branch for each.
#[inline(always)]
fn right(bytes: &[u8], wrong: impl Fn(u8) -> u8) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        work::step(block.len());
        let lanes = lanes(block, &wrong);
        if lanes != 0 {
            let at = (lanes.trailing_zeros() >> 3) as usize;
            return bytes.len().wrapping_sub(rest.len()).wrapping_add(at);
        }
        rest = after;
    }
    let last = rest.iter().take_while(|&&b| {
        work::step(1);
        wrong(b) == 0
    });
    bytes.len().wrapping_sub(rest.len()).wrapping_add(last.count())
}

/// `wrong` of each byte, the first one lowest.
#[inline(always)]
fn lanes(block: &[u8; 16], wrong: impl Fn(u8) -> u8) -> u128 {
    let mut lanes = [0; 16];
    for (lane, &b) in lanes.iter_mut().zip(block) {
        *lane = wrong(b);
    }
    u128::from_le_bytes(lanes)
}

/// How many bytes from the beginning are visible ASCII or SP: field content in any case. Sixteen at a
/// time as long as all are, then eight.
#[inline(always)]
pub(crate) fn plain_text_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        work::step(block.len());
        // Arithmetic for which the compiler takes the block as one vector.
        if block.iter().fold(0, |any, &b| any | not_text(b)) != 0 {
            break;
        }
        rest = after;
    }
    words_to_tilde::<b' ', 0>(bytes, rest)
}

/// How many bytes from the beginning lie between `FIRST` and `~` and are not `BUT`, which is below
/// `FIRST` for none: eight at a time. Those before `rest`, the end of `bytes`, are known to.
#[inline(always)]
fn words_to_tilde<const FIRST: u8, const BUT: u8>(bytes: &[u8], mut rest: &[u8]) -> usize {
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        work::step(block.len());
        let flags = not_from_to_tilde::<FIRST, BUT>(u64::from_le_bytes(*block));
        if flags != 0 {
            let at = (flags.trailing_zeros() >> 3) as usize;
            return bytes.len().wrapping_sub(rest.len()).wrapping_add(at);
        }
        rest = after;
    }
    work::step(rest.len());
    let last = rest.iter().take_while(|&&b| (FIRST..=b'~').contains(&b) && b != BUT);
    bytes.len().wrapping_sub(rest.len()).wrapping_add(last.count())
}

/// The high bits of the bytes of `word` that do not lie between `FIRST` and `~` or are `BUT`. The first
/// subtraction sets it below `FIRST`, the sum above `~`, the second subtraction for `BUT`. A carry into
/// another byte comes from one that is flagged itself, so the first flag is right, and there is one if
/// there has to be.
#[inline]
const fn not_from_to_tilde<const FIRST: u8, const BUT: u8>(word: u64) -> u64 {
    let (below, one) = (u64::from_ne_bytes([FIRST; 8]), u64::from_ne_bytes([1; 8]));
    let outside = word.wrapping_sub(below) | word.wrapping_add(one);
    let but = if BUT < FIRST { 0 } else { (word ^ u64::from_ne_bytes([BUT; 8])).wrapping_sub(one) };
    (outside | but) & u64::from_ne_bytes([0x80; 8])
}

/// How long the target is that `bytes` begins with, 0 if it begins with none; and how much of it comes
/// before the first `?`. As a rule all of it, without a character below `&`.
#[inline(always)]
pub(crate) fn target_len(bytes: &[u8]) -> (usize, usize) {
    let path = words_to_tilde::<b'&', b'?'>(bytes, bytes);
    match bytes.get(path) {
        Some(b'!'..) => odd_target_len(bytes, path),
        _ => (path, path),
    }
}

/// [`target_len`] where there is a query, or another character after `path`.
#[inline(never)]
fn odd_target_len(bytes: &[u8], path: usize) -> (usize, usize) {
    let query = bytes.get(path..).unwrap_or_default();
    let plain = words_to_tilde::<b'&', 0>(bytes, query);
    let Some(b'!'..=b'%') = bytes.get(plain) else {
        return (plain, path);
    };
    match bytes.get(..run(bytes, TARGET)) {
        Some(target) if percent_triplets(target) => (target.len(), path_len(target)),
        _ => (0, 0),
    }
}

/// How much of a target comes before the first `?`.
pub(crate) fn path_len(target: &[u8]) -> usize {
    find(b'?', target).unwrap_or(target.len())
}

/// Whether every byte may stand in a request target and every `%` starts a triplet of `%` and two
/// hexadecimal digits (RFC 3986 §2.1).
#[inline]
pub(crate) fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && target_len(bytes).0 == bytes.len()
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
#[inline]
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    // A name or an IPv4 address, as a rule: no colon is in it, so the last one is before the port.
    let (host, port) = split_last_colon(bytes);
    (!host.is_empty() && all_right(host, not_in_plain_host) && port.is_none_or(is_port))
        || is_odd_authority(bytes)
}

/// Splits at the last colon, if one is among the last six bytes.
#[inline]
fn split_last_colon(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let colon = |last: &[u8; 6]| last.iter().rposition(|&b| b == b':');
    let Some(at) = bytes.last_chunk().and_then(colon) else {
        return (bytes, None);
    };
    match bytes.split_at_checked(bytes.len().saturating_sub(6).saturating_add(at)) {
        Some((host, [_, port @ ..])) => (host, Some(port)),
        _ => (bytes, None),
    }
}

/// 0 for letters, digits, `-` and `.`.
#[inline(always)]
fn not_in_plain_host(b: u8) -> u8 {
    let letter = (b | 0x20).wrapping_sub(b'a').saturating_sub(25);
    let digit = b.wrapping_sub(b'0').saturating_sub(9);
    letter.min(digit).min(b.wrapping_sub(b'-').saturating_sub(1))
}

/// [`is_authority`] where the host has other characters: an address in brackets, or triplets.
#[inline(never)]
fn is_odd_authority(bytes: &[u8]) -> bool {
    let (host, port) = split_port(bytes);
    port.is_none_or(is_port)
        && (is_ip_literal(host)
            || (!host.is_empty() && host.iter().all(|&b| is(b, REG_NAME)) && percent_triplets(host)))
}

/// `port = *DIGIT` (RFC 3986 §3.2.3), at most 65535.
#[inline]
fn is_port(digits: &[u8]) -> bool {
    let small = match digits.len() {
        0..=4 => true,
        // Of as many digits: in the order of their numbers.
        5 => digits <= b"65535".as_slice(),
        _ => false,
    };
    small && digits.iter().all(u8::is_ascii_digit)
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
    use std::format;

    /// What is found sixteen bytes at a time is what the table says, for every byte at every place of a
    /// block, of two blocks, and of what is left.
    #[test]
    fn blocks_say_what_the_table_says() {
        for b in 0..=255_u8 {
            for len in (1..=18).chain([31, 32, 40]) {
                for at in 0..len {
                    let mut bytes = [b'a'; 40];
                    bytes[at] = b;
                    let bytes = &bytes[..len];
                    let first = |class| if is(b, class) { len } else { at };
                    let context = format!("{b:#x} at {at} of {len}");
                    assert_eq!(token_len(bytes), first(TCHAR), "{context}");
                    assert_eq!(is_token(bytes), is(b, TCHAR), "{context}");
                    let in_name = b.is_ascii_alphanumeric() || b == b'-';
                    assert_eq!(plain_name_len(bytes), if in_name { len } else { at }, "{context}");
                    assert_eq!(is_field_content(bytes), is(b, FIELD_CONTENT), "{context}");
                    assert_eq!(plain_text_len(bytes), if matches!(b, b' '..=b'~') { len } else { at });
                    if b != b'%' {
                        let path = if b == b'?' { at } else { first(TARGET) };
                        assert_eq!(target_len(bytes), (first(TARGET), path), "{context}");
                        assert_eq!(is_target(bytes), is(b, TARGET), "{context}");
                    }
                }
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
            "a:00000",
            "a:9999",
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
            "a:70000",
            "a:6553x",
            "a:8O",
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
