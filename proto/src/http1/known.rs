//! The fields that the core itself goes by: recognised once, when their line is read.
#![expect(clippy::inline_always, reason = "counted: a call costs as much as the short loops in it")]

/// What a field name means to the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: the field is the application's.
    #[default]
    Other,
    Host,
    Expect,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
}

impl Known {
    /// What `name` means, which has to be a token. Most names are dismissed by their first letter.
    #[inline(always)]
    pub(crate) fn of(name: &[u8]) -> Self {
        const LETTERS: u32 = letter(b'h') | letter(b'e') | letter(b'u') | letter(b'c') | letter(b't');
        match name {
            [first, ..] if letter(*first) & LETTERS != 0 => Self::begun(name),
            _ => Self::Other,
        }
    }

    /// The same for a name with one of those letters: by its length and its first four bytes, then by
    /// all of them.
    #[inline(always)]
    fn begun(name: &[u8]) -> Self {
        let Some(first) = name.first_chunk() else {
            return Self::Other;
        };
        let first = u32::from_le_bytes(*first) | 0x2020_2020;
        let begins = |with: &[u8; 4]| first == u32::from_le_bytes(*with);
        match name.len() {
            4 if begins(b"host") => Self::Host,
            6 if begins(b"expe") && covers::<4>(name, b"expect") => Self::Expect,
            7 if begins(b"upgr") && covers::<4>(name, b"upgrade") => Self::Upgrade,
            10 if begins(b"conn") && covers::<8>(name, b"connection") => Self::Connection,
            14 if begins(b"cont") && covers::<8>(name, b"content-length") => Self::ContentLength,
            17 if begins(b"tran") && covers::<16>(name, b"transfer-encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

/// A bit for each letter, the same in both cases. Some other characters share them.
const fn letter(b: u8) -> u32 {
    1 << (b & 31)
}

/// Whether `name` is `known` in any case, by its first `N` bytes and its last `N`; `known` has `N` to
/// `2 * N`.
///
/// A letter with the bit of lower case set comes from that letter alone, and of all the bytes of a
/// token only `-` becomes `-`.
#[inline(always)]
fn covers<const N: usize>(name: &[u8], known: &[u8]) -> bool {
    let same = |name: Option<&[u8; N]>, known: Option<&[u8; N]>| match (name, known) {
        (Some(name), Some(known)) => name.map(|b| b | 0x20) == *known,
        _ => false,
    };
    same(name.first_chunk(), known.first_chunk()) && same(name.last_chunk(), known.last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar;

    const NAMES: [(&str, Known); 6] = [
        ("host", Known::Host),
        ("expect", Known::Expect),
        ("upgrade", Known::Upgrade),
        ("connection", Known::Connection),
        ("content-length", Known::ContentLength),
        ("transfer-encoding", Known::TransferEncoding),
    ];

    /// Every token that differs from a known name in one byte means what comparing says.
    #[test]
    fn names_are_known_in_any_case_and_no_others() {
        for (name, known) in NAMES {
            assert_eq!(Known::of(name.as_bytes()), known);
            assert_eq!(Known::of(name.to_uppercase().as_bytes()), known);
            for at in 0..name.len() {
                for byte in (0..=255).filter(|&byte| grammar::is_tchar(byte)) {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    let same = other.eq_ignore_ascii_case(name.as_bytes());
                    assert_eq!(Known::of(&other) == known, same, "{name} with {byte:#x} at {at}");
                }
            }
            assert_eq!(Known::of(&name.as_bytes()[1..]), Known::Other);
        }
    }
}
