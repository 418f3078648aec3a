//! A producer and a consumer on one private lane, and what the tests do with them.

use super::*;
use crate::codec::{self, Sink};
use crate::ring::frame::{Checksums, Header, Kind};
use crate::sync::Ordering;

const CAPACITY: usize = MINIMUM_CAPACITY;
const LARGEST: usize = CAPACITY / 2 - 16;

mod geometry;
mod model;
mod strangers;
mod wrap;

fn pair() -> (Producer, Consumer) {
    pair_with(Checksums::On)
}

fn pair_with(checksums: Checksums) -> (Producer, Consumer) {
    let lane = Lane::in_memory(CAPACITY);
    // SAFETY: one producer and one consumer of a fresh lane.
    let producer = unsafe { Producer::new(lane.clone(), checksums, usize::MAX) };
    // SAFETY: as above.
    let consumer = unsafe { Consumer::new(lane, checksums) };
    (producer, consumer)
}

/// A pair that starts `before_end` bytes before the end of its third lap.
fn pair_near_end(before_end: u64) -> (Producer, Consumer) {
    let (mut producer, mut consumer) = pair();
    let position = 3 * CAPACITY as u64 - before_end;
    producer.force_position(position);
    consumer.force_position(position);
    (producer, consumer)
}

fn notice(call_id: u32) -> Label {
    Label::new(Kind::Notice, call_id)
}

fn write(producer: &mut Producer, call_id: u32, bytes: &[u8]) -> u64 {
    producer.write(notice(call_id), [bytes, &[]]).expect("room")
}

/// A frame in the ring that grows as long as there is room.
struct Growing<'a> {
    producer: &'a mut Producer,
    frame: InPlace,
}

impl Sink for Growing<'_> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        let Self { producer, frame } = self;
        frame.put(bytes)
            || producer.extend(frame, bytes.len()).expect("no violation") && frame.put(bytes)
    }
}

/// Encodes as a sender does, in private memory or in the ring, but with nowhere to go from there.
fn encode(
    producer: &mut Producer,
    label: Label,
    value: &(impl serde::Serialize + ?Sized),
) -> Result<u64, Refused> {
    let (mut small, mut bytes) = (SmallFrame::new(), Vec::new());
    if codec::encode(value, &mut small).is_ok() {
        return producer.write_small(label, &mut small);
    }
    codec::encode_to_vec(value, &mut bytes, usize::MAX).expect("encodable");
    let frame = producer.begin(small.payload().len() + 1)?.ok_or(Refused::NoRoom)?;
    let mut growing = Growing { producer, frame };
    let encoded = codec::encode(value, &mut growing);
    let Growing { producer, frame } = growing;
    if encoded.is_err() {
        let mut taken_out = codec::VecSink::new(Vec::new(), usize::MAX);
        frame.copy_to(&mut taken_out);
        let taken_out = taken_out.finish().expect("no maximum");
        assert!(bytes.starts_with(&taken_out), "what was written so far");
        return Err(Refused::NoRoom);
    }
    Ok(producer.finish(frame, label))
}

fn take(consumer: &mut Consumer) -> Result<Option<(Header, Vec<u8>)>, Violation> {
    let Some(peeked) = consumer.peek()? else {
        return Ok(None);
    };
    let header = peeked.header;
    let mut buffer = FrameBuffer::default();
    consumer.take(peeked, &mut buffer)?;
    consumer.publish();
    Ok(Some((header, buffer.payload().to_vec())))
}

/// Writes a header where the producer would write next.
fn forge(producer: &Producer, bytes: [u8; 16]) {
    let lane = producer.lane();
    let position = producer.position();
    // SAFETY: a position is followed by a line of data.
    unsafe { lane.address(position).write(&bytes) };
}

fn header_bytes(length: u32, kind: Kind) -> [u8; 16] {
    let header = Header { length, kind, flags: 0, call_id: 0 };
    header.to_bytes(header.checksum(&[]))
}

#[test]
fn waits_are_seen_by_the_other_side_until_withdrawn() {
    let (producer, consumer) = pair();
    assert!(!consumer_waits(producer.lane()) && !consumer.producer_waits());
    consumer.announce_wait();
    Producer::announce_wait(producer.lane());
    Producer::announce_wait(producer.lane());
    assert!(consumer_waits(producer.lane()) && consumer.producer_waits());
    consumer.withdraw_wait();
    Producer::withdraw_wait(producer.lane());
    assert!(
        !consumer_waits(producer.lane()) && consumer.producer_waits(),
        "one thread still waits"
    );
    Producer::withdraw_wait(producer.lane());
    assert!(!consumer.producer_waits());
}

#[test]
fn a_frame_counts_as_taken_from_the_publishing_on() {
    let (mut producer, mut consumer) = pair();
    let end = write(&mut producer, 1, b"request");
    let peeked = consumer.peek().unwrap().unwrap();
    consumer.take(peeked, &mut FrameBuffer::default()).unwrap();
    assert!(!was_taken(producer.lane(), end));
    consumer.publish();
    assert!(was_taken(producer.lane(), end));
}
