//! Bytes that are nearly HTTP: words of it in any order, and whole messages with a word put in.

use proptest::prelude::*;

type Words = &'static [&'static str];

/// Arbitrary bytes, words in any order, and 1 to `most` of the `whole` messages one behind the other,
/// damaged by a word or not; those `share` times as often as arbitrary bytes.
pub(crate) fn near(words: Words, whole: Words, most: usize, share: u32) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        3 => prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.concat().into_bytes()),
        share => damaged(words, whole, most),
    ]
}

fn damaged(words: Words, whole: Words, most: usize) -> impl Strategy<Value = Vec<u8>> {
    let messages = prop::collection::vec(prop::sample::select(whole), 1..=most);
    let damage = prop::option::of((any::<prop::sample::Index>(), 0..3_usize, prop::sample::select(words)));
    (messages, damage).prop_map(|(messages, damage)| {
        let mut bytes = messages.concat().into_bytes();
        if let Some((index, cut, word)) = damage {
            let at = index.index(bytes.len());
            let end = bytes.len().min(at + cut);
            bytes.splice(at..end, word.bytes());
        }
        bytes
    })
}
