//! Bytes in, messages out: the examples of RFC 7692 §7.2.3 and what breaks the rules.

use alloc::vec;
use alloc::vec::Vec;

use allocation_counter::measure;

use super::{Deflater, InflateError, Inflater, STEP};

const LIMIT: usize = 1 << 20;

fn inflate(inflater: &mut Inflater, message: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    inflater.push(message, &mut out, LIMIT)?;
    inflater.finish()?;
    Ok(out)
}

fn once(message: &[u8]) -> Result<Vec<u8>, InflateError> {
    inflate(&mut Inflater::new(15, true), message)
}

#[test]
fn the_examples_of_the_standard() {
    let hello = Ok(b"Hello".to_vec());
    // §7.2.3.1, also with the fragments of that example.
    let one_block = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(once(&one_block), hello);
    let mut inflater = Inflater::new(15, true);
    let mut out = Vec::new();
    inflater.push(&one_block[..3], &mut out, LIMIT).unwrap();
    inflater.push(&one_block[3..], &mut out, LIMIT).unwrap();
    assert_eq!(inflater.finish().map(|()| out), hello);
    // §7.2.3.2: the second message in the window of the first.
    let mut inflater = Inflater::new(15, true);
    assert_eq!(inflate(&mut inflater, &one_block), hello);
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00]), hello);
    // And it is an error if there is no window.
    let mut inflater = Inflater::new(15, false);
    assert_eq!(inflate(&mut inflater, &one_block), hello);
    assert_eq!(inflate(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00]), Err(InflateError::Corrupt));
    // §7.2.3.3: without compression.
    assert_eq!(once(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), hello);
    // §7.2.3.4: the last block of its stream.
    let last_block = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(once(&last_block), hello);
    // §7.2.3.5: two blocks.
    assert_eq!(once(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]), hello);
    // §7.2.3.6: nothing.
    assert_eq!(once(&[0x00]), Ok(Vec::new()));
}

#[test]
fn what_is_compressed_is_as_in_the_standard() {
    let mut deflater = Deflater::new(15, true, 6);
    let mut message = |payload: &[u8]| {
        let mut out = Vec::new();
        deflater.message(payload, &mut out).map(|()| out)
    };
    assert_eq!(message(b"Hello"), Ok(vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    assert_eq!(message(b"Hello"), Ok(vec![0xf2, 0x00, 0x11, 0x00, 0x00]));
    assert_eq!((message(b""), message(b"")), (Ok(vec![0]), Ok(vec![0])));
    assert!(message(b"Hello").is_ok_and(|message| message.len() <= 5), "the window is still there");
    let mut forgetful = Deflater::new(15, false, 6);
    for _ in 0..3 {
        let mut out = b"before".to_vec();
        forgetful.message(b"Hello", &mut out).unwrap();
        assert_eq!(out, b"before\xf2\x48\xcd\xc9\xc9\x07\x00");
    }
}

#[test]
fn streams_that_end_inside_a_message() {
    // `Hello` as a whole stream, 03 00 the empty one.
    let stream = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let message = [&stream[..], &[0x03, 0x00], &stream, &stream, &[0x00]].concat();
    assert_eq!(once(&message), Ok(b"HelloHelloHello".to_vec()));
    // However it is cut.
    for cut in 0..=message.len() {
        let (mut inflater, mut out) = (Inflater::new(15, true), Vec::new());
        inflater.push(&message[..cut], &mut out, LIMIT).unwrap();
        inflater.push(&message[cut..], &mut out, LIMIT).unwrap();
        assert_eq!((inflater.finish(), &out[..]), (Ok(()), &b"HelloHelloHello"[..]), "{cut}");
        assert_eq!(inflate(&mut inflater, &message), Ok(b"HelloHelloHello".to_vec()));
    }
    // The empty block at the end may be the last one of its stream, whose end is then not sent.
    let mut inflater = Inflater::new(15, true);
    for _ in 0..3 {
        let message = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x04];
        assert_eq!(inflate(&mut inflater, &message), Ok(b"Hello".to_vec()));
    }
    for _ in 0..3 {
        assert_eq!(inflate(&mut inflater, &[0x00, 0x01, 0x00, 0xfe, 0xff, b'x', 0x01]), Ok(b"x".to_vec()));
    }
    // A window does not outlive its stream.
    assert_eq!(once(&[&stream[..], &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat()), Err(InflateError::Corrupt));
}

#[test]
fn messages_that_are_not_complete() {
    let whole = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for cut in 0..whole.len() {
        assert_eq!(once(&whole[..cut]), Err(InflateError::Incomplete), "{cut}");
    }
    for (message, why) in [
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], "the last block of a stream and nothing after it"),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48], "a block without compression is cut"),
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65], "the same, so that the tail does not fill it"),
        (&[0x00, 0x00, 0x00, 0xff, 0xff], "the tail is sent"),
        (&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff], "the tail is sent"),
        (&[0x02], "a block with nothing in it"),
        (&[0x04], "a block of tables is cut"),
    ] {
        assert_eq!(once(message), Err(InflateError::Incomplete), "{why}: {message:x?}");
    }
}

#[test]
fn what_is_not_deflate() {
    for (message, why) in [
        (&[0x06][..], "a kind of block that does not exist"),
        (&[0x00, 0x05, 0x00, 0x05, 0x00], "a length without its complement"),
        (&[0xf2, 0x00, 0x11, 0x00, 0x00], "a distance before the beginning"),
        (&[0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "tables that are none"),
    ] {
        let mut inflater = Inflater::new(15, true);
        assert_eq!(inflate(&mut inflater, message), Err(InflateError::Corrupt), "{why}");
        assert_eq!(inflate(&mut inflater, &[0x00]), Err(InflateError::Corrupt), "it stays failed");
        assert_eq!(inflater.finish(), Err(InflateError::Corrupt));
    }
}

#[test]
fn a_limit_is_a_limit_to_the_byte() {
    for len in [1, 2, 5, 255, 256, 257, 5_000, STEP - 1, STEP, STEP + 1, 100_000] {
        let mut message = Vec::new();
        Deflater::new(15, true, 6).message(&vec![b'a'; len], &mut message).unwrap();
        for (limit, fits) in [(len + 1, true), (len, true), (len - 1, false), (len / 2, false), (0, false)] {
            let (mut inflater, mut out) = (Inflater::new(15, true), Vec::new());
            let result = inflater.push(&message, &mut out, limit);
            assert!(out.len() <= limit && out.capacity() <= limit.max(8), "{len} {limit} {}", out.capacity());
            if fits {
                assert_eq!((result, inflater.finish(), out.len()), (Ok(()), Ok(()), len));
            } else {
                assert_eq!((result, out.len()), (Err(InflateError::TooLarge), limit));
                assert_eq!(inflater.finish(), Err(InflateError::TooLarge), "it stays failed");
            }
        }
    }
    // Five bytes, then a block of no kind, whole and byte by byte: too much comes first.
    let broken = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x1c];
    for (limit, error) in
        [(4, InflateError::TooLarge), (5, InflateError::Corrupt), (100, InflateError::Corrupt)]
    {
        for cut in [1, broken.len()] {
            let (mut inflater, mut out) = (Inflater::new(15, true), Vec::new());
            let result = broken.chunks(cut).try_for_each(|part| inflater.push(part, &mut out, limit));
            assert_eq!(result, Err(error), "{limit} {cut}");
        }
    }
    // What is there before counts; and nothing fits if it is too much already.
    let mut out = vec![0; 10];
    assert_eq!(Inflater::new(15, true).push(&[0x00], &mut out, 5), Ok(()));
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(Inflater::new(15, true).push(&hello, &mut out, 14), Err(InflateError::TooLarge));
    assert_eq!(&out[10..], b"Hell");
}

/// A gigabyte in a megabyte, and a limit of a megabyte: the work ends at the limit.
#[test]
fn a_bomb_costs_no_more_than_its_limit() {
    let mut bomb = Vec::new();
    let mut deflater = Deflater::new(15, true, 9);
    let zeros = vec![0; 1 << 20];
    deflater.push(&zeros, false, &mut bomb).unwrap();
    assert!(bomb.len() < 2_000, "{}", bomb.len());
    let mut inflater = Inflater::new(15, true);
    let mut pushed = 0;
    let measured = measure(|| {
        let mut out = Vec::new();
        while inflater.push(&bomb, &mut out, LIMIT + 1).is_ok() {
            pushed += 1;
        }
        assert_eq!(out.len(), LIMIT + 1);
        pushed += (0..1_000).filter(|_| inflater.push(&bomb, &mut out, LIMIT + 1).is_ok()).count();
    });
    assert_eq!(pushed, 1, "the second one has too many, and all after it");
    // The buffer, and the smaller one that it was before.
    assert!(measured.bytes_max <= 2 * LIMIT as u64, "{measured:?}");
    assert!(measured.count_total <= 16, "{measured:?}");
}

/// Room for output is made once, not for each of the streams that have none.
#[test]
fn streams_without_a_byte_in_them() {
    let message = [[0x03, 0x00].repeat(100_000), vec![0x00]].concat();
    for limit in [0, 1, LIMIT] {
        let (mut inflater, mut out) = (Inflater::new(15, true), Vec::new());
        let measured = measure(|| assert_eq!(inflater.push(&message, &mut out, limit), Ok(())));
        assert_eq!((inflater.finish(), out.len()), (Ok(()), 0));
        assert!(measured.count_total <= 1 && out.capacity() <= STEP, "{measured:?}");
    }
}

#[test]
fn the_state_may_go_to_another_thread() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&(Inflater::new(15, true), Deflater::new(15, true, 6)));
}

#[test]
fn output_that_fills_the_room_exactly() {
    // Random bytes are stored: each length gives another length of output, and some meet the room.
    let mut seed = 1_u32;
    let noise: Vec<u8> = (0..3 * STEP)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .collect();
    let mut met = 0;
    for len in (STEP - 64..STEP + 64).chain(2 * STEP - 64..2 * STEP + 64) {
        let (mut deflater, mut message) = (Deflater::new(15, true, 6), Vec::new());
        deflater.message(&noise[..len], &mut message).unwrap();
        met += usize::from(message.ends_with(&[0, 0, 0xff, 0xff, 0]));
        assert_eq!(once(&message).as_deref(), Ok(&noise[..len]), "{len}");
    }
    assert!(met > 0, "the room was met");
}

#[test]
fn pieces_can_be_read_at_once() {
    let (mut deflater, mut inflater) = (Deflater::new(12, true, 4), Inflater::new(12, true));
    for _ in 0..2 {
        let mut seen = Vec::new();
        for piece in [&b"one "[..], b"", b"two ", b"two two two"] {
            let (mut wire, before) = (Vec::new(), seen.len());
            deflater.push(piece, false, &mut wire).unwrap();
            assert_eq!(wire.is_empty(), piece.is_empty());
            inflater.push(&wire, &mut seen, LIMIT).unwrap();
            assert_eq!(&seen[before..], piece);
        }
        let mut wire = Vec::new();
        deflater.push(b"", true, &mut wire).unwrap();
        assert_eq!(wire, [0]);
        inflater.push(&wire, &mut seen, LIMIT).unwrap();
        assert_eq!((inflater.finish(), &seen[..]), (Ok(()), &b"one two two two two"[..]));
    }
}

/// The figures of [`DeflateConfig`](crate::websocket::DeflateConfig) and of the types here, in KiB.
#[test]
fn memory_is_what_the_documents_say() {
    for (bits, to_compress) in (9..=15).zip([148, 150, 154, 162, 178, 210, 274]) {
        let mut message = Vec::with_capacity(4_096);
        let deflater = measure(|| {
            let mut deflater = Deflater::new(bits, true, 9);
            for _ in 0..100 {
                message.clear();
                deflater.message(&[b'x'; 1_000], &mut message).unwrap();
            }
        });
        let mut out = Vec::with_capacity(1_024);
        let inflater = measure(|| {
            let mut inflater = Inflater::new(bits, false);
            message.clear();
            Deflater::new(bits, false, 9).message(&[b'x'; 1_000], &mut message).unwrap();
            inflater.push(&message, &mut out, 1_000).unwrap();
            inflater.finish().unwrap();
        });
        let (most, both) = (deflater.bytes_max, inflater.bytes_max);
        assert!(most <= to_compress * 1024 && most > (to_compress - 4) * 1024, "{bits}: {most}");
        assert!(both <= (to_compress + 47) * 1024 && both > (to_compress + 40) * 1024, "{bits}: {both}");
        // Everything is taken in the beginning.
        assert_eq!((deflater.count_total, inflater.count_total), (1, 2));
    }
}
