//! From a path to the number of its route.
//!
//! Invariant: literal before placeholder before wildcard, decided segment by segment from the left,
//! and a choice that leads nowhere is taken back. The search visits a node at most once: a node has
//! one parent, and the node at depth `n` is only ever compared with segment `n`. So the work is
//! bounded by the size of the tree, however a path is made, and by the depth of the longest route,
//! which the search recurses to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use percent_encoding::percent_decode;

use super::pattern::{Pattern, Segment};

/// The routes of a router, each as a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Node,
    /// The routes without placeholders once more, by their path. One of these that matches comes
    /// before any other, so that the tree need not be asked. A path with a `%` is none of them: in a
    /// request it begins a triplet, which no route has.
    literal: HashMap<Box<[u8]>, usize, BuildHasherDefault<PathHasher>>,
}

/// Eight bytes at a time, each time multiplied and both halves of the product put together. What is in the
/// table are the routes of the application, not what clients send, so nobody can fill it with names of one
/// hash.
#[derive(Clone, Debug)]
struct PathHasher(u64);

impl Default for PathHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl PathHasher {
    #[expect(clippy::cast_possible_truncation, reason = "one half, then the other")]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for PathHasher {
    /// The last word overlaps the one before it; of a short text it is its two halves.
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            for word in bytes[..bytes.len() - 1].chunks_exact(8) {
                self.mix(word.try_into().map_or(0, u64::from_le_bytes));
            }
            self.mix(u64::from_le_bytes(*last));
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            self.mix(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32);
        } else {
            let word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.mix(word);
        }
    }

    /// The length of what follows: texts of other lengths go apart, which is not needed to be right.
    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Sorted by length, then by text: most are told apart without a look at the text.
    literals: Vec<(Box<[u8]>, Node)>,
    one: Option<Box<Node>>,
    rest: Option<usize>,
    /// The route that ends here.
    end: Option<usize>,
}

impl Tree {
    /// The number of the route that has this pattern, names apart: `new` unless there is one.
    pub(super) fn enter(&mut self, pattern: &Pattern, new: usize) -> usize {
        let mut node = &mut self.root;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(text) => node.literal_mut(text.as_bytes()),
                Segment::One(_) => node.one.get_or_insert_default(),
                Segment::Rest(_) => return *node.rest.get_or_insert(new),
            };
        }
        let number = *node.end.get_or_insert(new);
        if let Some(path) = pattern.literal() {
            self.literal.insert(path.into_bytes().into(), number);
        }
        number
    }

    /// The route that a path, not decoded, belongs to.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        if let Some(number) = self.literal.get(path) {
            return Some(*number);
        }
        let segments = path.strip_prefix(b"/")?;
        self.root.find(Some(segments), segments.contains(&b'%'))
    }
}

impl Node {
    /// `path` is what comes after the last slash, `None` if no slash is left. `encoded`: there may be
    /// triplets in it.
    fn find(&self, path: Option<&[u8]>, encoded: bool) -> Option<usize> {
        let Some(path) = path else { return self.end };
        let (segment, after) = match path.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
            None => (path, None),
        };
        let literal = || self.literal(segment, encoded)?.find(after, encoded);
        let one = || self.one.as_ref().filter(|_| !segment.is_empty())?.find(after, encoded);
        let rest = || self.rest.filter(|_| !path.is_empty());
        literal().or_else(one).or_else(rest)
    }

    fn literal(&self, segment: &[u8], encoded: bool) -> Option<&Self> {
        if self.literals.is_empty() {
            return None;
        }
        // Decoded one by one, so that `%2F` is never taken for the end of a segment. What is not UTF-8
        // then is no route's.
        let text = if encoded { percent_decode(segment).into() } else { Cow::Borrowed(segment) };
        let at = self.place(&text).ok()?;
        Some(&self.literals[at].1)
    }

    fn literal_mut(&mut self, text: &[u8]) -> &mut Self {
        let at = match self.place(text) {
            Ok(at) => at,
            Err(at) => {
                self.literals.insert(at, (text.into(), Self::default()));
                at
            }
        };
        &mut self.literals[at].1
    }

    /// Where a text is among the literals, or would be.
    fn place(&self, text: &[u8]) -> Result<usize, usize> {
        self.literals.binary_search_by(|(known, _)| (known.len(), &**known).cmp(&(text.len(), text)))
    }
}
