//! The ring: frames appear whole, in order, each once, over the wrap and in a full ring.

use loom::thread;

use super::{Model, check};
use crate::ring::frame::{Checksums, Kind};
use crate::ring::{Consumer, FrameBuffer, Label, Lane, Producer};
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "ring/wrap",
        preemptions: None,
        run: wrap,
        faults: &[Fault::PublishRelaxed, Fault::PlaceNotCleared],
    },
    Model {
        name: "ring/pad",
        preemptions: None,
        run: pad,
        faults: &[Fault::PadFirst, Fault::PublishRelaxed],
    },
    Model {
        name: "ring/full",
        preemptions: None,
        run: full,
        faults: &[Fault::NoLineBack, Fault::ClearedTooFar],
    },
    Model { name: "ring/room", preemptions: None, run: room, faults: &[Fault::RoomTooEarly] },
];

/// Four lines.
const CAPACITY: usize = 256;

fn pair() -> (Producer, Consumer) {
    let lane = Lane::in_memory(CAPACITY);
    // SAFETY: one producer and one consumer of a fresh lane.
    let producer = unsafe { Producer::new(lane.clone(), Checksums::On, usize::MAX) };
    // SAFETY: as above.
    let consumer = unsafe { Consumer::new(lane, Checksums::On) };
    (producer, consumer)
}

fn write(producer: &mut Producer, number: u32, words: usize) -> bool {
    let bytes = u64::from(number).to_ne_bytes().repeat(words);
    let written = producer.write(Label::new(Kind::Notice, number), [&bytes, &[]]).is_ok();
    producer.clear_ahead();
    written
}

/// Takes the next frame, if there is one: it must be the one after `last`.
fn take(consumer: &mut Consumer, last: &mut u32) {
    let Some(peeked) = consumer.peek().expect("a correct producer") else {
        return;
    };
    let number = peeked.header.call_id;
    assert_eq!(number, *last + 1, "frames in order, each once");
    let mut buffer = FrameBuffer::default();
    consumer.take(peeked, &mut buffer).expect("a whole frame");
    for word in buffer.payload().chunks(8) {
        assert_eq!(word, u64::from(number).to_ne_bytes(), "the frame's own payload");
    }
    consumer.publish();
    *last = number;
}

/// Leaves headers of an earlier lap in the first lines.
fn one_lap(producer: &mut Producer, consumer: &mut Consumer, lines: u32) -> u32 {
    let mut last = 0;
    for number in 1..=lines {
        assert!(write(producer, number, 1));
        take(consumer, &mut last);
    }
    last
}

fn concurrently(
    mut consumer: Consumer,
    mut last: u32,
    looks: u32,
    write: impl FnOnce() -> u32 + 'static,
) {
    let writer = thread::spawn(write);
    for _ in 0..looks {
        take(&mut consumer, &mut last);
    }
    let written = writer.join().expect("the writer");
    while last < written {
        let before = last;
        take(&mut consumer, &mut last);
        assert_eq!(last, before + 1, "what was written is there");
    }
    assert!(!consumer.has_data(), "nothing else is");
}

/// Frames of one line over the ring's end, where headers of the last lap stand.
fn wrap() {
    let (mut producer, mut consumer) = pair();
    let last = one_lap(&mut producer, &mut consumer, 3);
    concurrently(consumer, last, 4, move || {
        assert!(write(&mut producer, last + 1, 1));
        assert!(write(&mut producer, last + 2, 2));
        assert!(write(&mut producer, last + 3, 1));
        last + 3
    });
}

/// A frame that does not fit before the end: a pad, and both with one store.
fn pad() {
    let (mut producer, mut consumer) = pair();
    let last = one_lap(&mut producer, &mut consumer, 3);
    concurrently(consumer, last, 3, move || {
        assert!(write(&mut producer, last + 1, 7));
        last + 1
    });
}

/// A writer that goes on until the ring refuses, while room comes back.
fn full() {
    let (mut producer, mut consumer) = pair();
    let last = one_lap(&mut producer, &mut consumer, 1);
    concurrently(consumer, last, 4, move || {
        let mut written = last;
        for _ in 0..6 {
            written += u32::from(write(&mut producer, written + 1, 1));
        }
        written
    });
}

/// A ring that is full of a large frame and a small one: the writer goes on as soon as it may.
fn room() {
    let (mut producer, consumer) = pair();
    assert!(write(&mut producer, 1, 7) && write(&mut producer, 2, 1));
    concurrently(consumer, 0, 3, move || {
        let mut written = 2;
        for _ in 0..4 {
            written += u32::from(write(&mut producer, written + 1, 1));
        }
        written
    });
}

#[test]
fn frames_are_whole_and_in_order() {
    check(MODELS);
}
