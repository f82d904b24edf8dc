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
    /// What `name` means, which has to be a token. Nearly all names are dismissed by their length and
    /// their first letter together.
    #[inline(always)]
    pub(crate) fn of(name: &[u8]) -> Self {
        match name {
            [first, ..] if FIRST.get(name.len() & 31) == Some(&(first | 0x20)) => Self::begun(name),
            _ => Self::Other,
        }
    }

    /// The same for a name that may be known: by its length and all of its bytes.
    #[inline(always)]
    fn begun(name: &[u8]) -> Self {
        match name.len() {
            4 if covers::<4>(name, b"host") => Self::Host,
            6 if covers::<4>(name, b"expect") => Self::Expect,
            7 if covers::<4>(name, b"upgrade") => Self::Upgrade,
            10 if covers::<8>(name, b"connection") => Self::Connection,
            14 if covers::<8>(name, b"content-length") => Self::ContentLength,
            17 if covers::<16>(name, b"transfer-encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

/// The first letter of the known name of each length, which is another one for each.
const FIRST: [u8; 32] = {
    let mut first = [0; 32];
    first[4] = b'h';
    first[6] = b'e';
    first[7] = b'u';
    first[10] = b'c';
    first[14] = b'c';
    first[17] = b't';
    first
};

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
