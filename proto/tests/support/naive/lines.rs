//! Lines, field lines and the character classes they are made of (RFC 9112 §2.2 and §5).

use sinew_proto::{Config, RecvError};

use super::End;

/// Why reading goes no further.
pub(super) type Stop = End;
/// Field lines: names and values.
pub(crate) type Fields<'w> = Vec<(&'w str, &'w [u8])>;
pub(super) type Read<T> = Result<T, Stop>;

pub(super) fn wrong<T>(error: RecvError) -> Read<T> {
    Err(Stop::Wrong(vec![error]))
}

/// The line at `at`, with its CR and without its LF, and where the next one begins. A section of
/// lines that is longer than `limit` is refused as soon as that shows (RFC 6585 §5).
pub(super) fn line(section: &[u8], at: usize, limit: usize, over: RecvError) -> Read<(&[u8], usize)> {
    match section[at..].iter().position(|&b| b == b'\n') {
        Some(lf) if at + lf < limit => Ok((&section[at..at + lf], at + lf + 1)),
        None if section.len() <= limit => Err(Stop::Short),
        _ => wrong(over),
    }
}

/// §2.2: a line ends in CRLF. Stricter: LF alone does not do.
pub(super) fn without_cr(line: &[u8]) -> Read<&[u8]> {
    line.strip_suffix(b"\r").ok_or(Stop::Wrong(vec![RecvError::BareLf]))
}

/// §5: lines up to the empty one, and where the section ends.
pub(super) fn fields<'w>(
    section: &'w [u8],
    mut at: usize,
    limit: usize,
    over: RecvError,
    config: &Config,
) -> Read<(Fields<'w>, usize)> {
    let mut fields = Vec::new();
    loop {
        let (line, next) = line(section, at, limit, over)?;
        let line = without_cr(line)?;
        if line.is_empty() {
            return Ok((fields, next));
        }
        fields.push(field_line(line)?);
        if fields.len() > usize::from(config.max_fields) {
            return wrong(RecvError::TooManyFields);
        }
        at = next;
    }
}

/// §5: `field-line = field-name ":" OWS field-value OWS`
pub(super) fn field_line(line: &[u8]) -> Read<(&str, &[u8])> {
    // §2.2: a blank before the first field. §5.2: obsolete folding.
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return wrong(RecvError::LeadingWhitespace);
    }
    let Some((name, value)) = split_once(line, b':') else { return wrong(RecvError::InvalidFieldName) };
    if !token(name) {
        // §5.1: no white space between name and colon.
        let blanks = token(trim(name));
        return wrong(if blanks { RecvError::WhitespaceBeforeColon } else { RecvError::InvalidFieldName });
    }
    // RFC 9110 §5.5: visible characters, blanks, HTAB and anything above ASCII.
    let value = trim(value);
    if !value.iter().all(|&b| field_content(b)) {
        return wrong(RecvError::InvalidFieldValue);
    }
    Ok((text(name), value))
}

/// RFC 9110 §5.6.2.
pub(super) fn tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

pub(super) fn token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| tchar(b))
}

/// RFC 9110 §5.5: VCHAR, obs-text, SP, HTAB.
pub(super) fn field_content(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7F)
}

/// RFC 9110 §5.6.3: OWS and BWS are SP and HTAB.
pub(super) fn blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().take_while(|&&b| blank(b)).count();
    let end = bytes.iter().rev().take_while(|&&b| blank(b)).count();
    bytes.get(start..bytes.len() - end).unwrap_or_default()
}

pub(super) fn is(bytes: &[u8], word: &str) -> bool {
    bytes.eq_ignore_ascii_case(word.as_bytes())
}

pub(super) fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|&b| b == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// Text that is ASCII where it matters; a byte above is in no rule, so no text is as good as that.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("\u{FFFD}")
}
