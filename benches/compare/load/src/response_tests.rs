//! What is a response here, and what is not.

use super::*;

const SIZED: &str =
    "HTTP/1.1 200 OK\r\nServer: a\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\nhello";
const LATER: &str =
    "HTTP/1.1 200 OK\r\nServer: a\r\nDate: Sun, 06 Nov 1994 08:50:02 GMT\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";

/// Reads `text` in pieces of `size` bytes, as a connection does, and counts responses.
fn count(judge: &mut Judge, text: &str, size: usize) -> Result<u32, Wrong> {
    let (mut place, mut kept, mut responses) = (Place::default(), Vec::new(), 0);
    for piece in text.as_bytes().chunks(size) {
        kept.extend_from_slice(piece);
        let (done, ended) = judge.read(&mut place, &kept)?;
        kept.drain(..done);
        responses += ended;
    }
    assert_eq!((place, kept.len()), (Place::Head, 0), "something is left over");
    Ok(responses)
}

#[test]
fn every_split_gives_the_same() {
    let text = [SIZED, LATER, CHUNKED, SIZED, CHUNKED, LATER].concat();
    for size in 1..=text.len() {
        assert_eq!(count(&mut Judge::new(5), &text, size), Ok(6), "in pieces of {size}");
    }
}

#[test]
fn the_template_knows_another_date_and_nothing_else() {
    let mut judge = Judge::new(5);
    assert_eq!(count(&mut judge, SIZED, 1000), Ok(1));
    let template = judge.template.expect("a template");
    assert!(template.matches(LATER.as_bytes()));
    assert!(!template.matches(&LATER.as_bytes()[..template.len - 1]));
    for at in 0..template.len {
        let mut other = SIZED.as_bytes().to_vec();
        other[at] ^= 1;
        let in_date = (template.before_date.len()..template.before_date.len() + DATE).contains(&at);
        assert_eq!(template.matches(&other), in_date, "byte {at}");
    }
}

#[test]
fn wrong_responses() {
    let cases = [
        ("a status", SIZED.replace("200 OK", "503 No")),
        ("a length", SIZED.replace("Length: 5", "Length: 6")),
        ("no length", SIZED.replace("Content-Length", "Content-Size")),
        ("a body that is longer", [SIZED, "x", SIZED].concat()),
        ("two framings", CHUNKED.replace("\r\n\r\n3", "\r\nContent-Length: 5\r\n\r\n3")),
        ("chunks that are too short", CHUNKED.replace("2\r\nlo\r\n", "1\r\nl\r\n")),
        ("chunks that are too long", CHUNKED.replace("2\r\nlo\r\n", "3\r\nlo!\r\n")),
        ("a chunk longer than its size", CHUNKED.replace("3\r\nhel", "3\r\nhell")),
        ("a size that is none", CHUNKED.replace("\r\n2\r\n", "\r\nzwei\r\n")),
        ("an empty body", SIZED.replace("Length: 5", "Length: 0")),
    ];
    for (what, text) in cases {
        // Behind a right one of its kind, so that the template is there.
        for before in ["", SIZED, CHUNKED] {
            let text = [before, &text].concat();
            for size in [1, 7, 4096] {
                assert!(count(&mut Judge::new(5), &text, size).is_err(), "{what}");
            }
        }
    }
}
