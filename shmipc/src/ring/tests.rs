//! Geometry, the wrap with forced positions, what strangers write, regressions, threads.

use super::*;
use crate::codec::{self, Sink};
use crate::ring::frame::{Checksums, Header, Kind};
use crate::sync::Ordering;

const CAPACITY: usize = MINIMUM_CAPACITY;
const LARGEST: usize = CAPACITY / 2 - 16;

fn pair() -> (Producer, Consumer) {
    pair_with(Checksums::On)
}

fn pair_with(checksums: Checksums) -> (Producer, Consumer) {
    let lane = Lane::private(CAPACITY);
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

// ---- geometry -----------------------------------------------------------------------------------

#[test]
fn an_empty_ring_gives_nothing() {
    let (_, mut consumer) = pair();
    assert_eq!(take(&mut consumer), Ok(None));
    assert!(!consumer.has_data());
}

#[test]
fn a_frame_comes_out_as_it_went_in() {
    let (mut producer, mut consumer) = pair();
    assert_eq!(write(&mut producer, 7, b"hello"), 64);
    let (header, bytes) = take(&mut consumer).unwrap().unwrap();
    assert_eq!((header.kind, header.call_id, header.length), (Kind::Notice, 7, 5));
    assert_eq!(bytes, b"hello");
    assert_eq!(take(&mut consumer), Ok(None));
}

/// Large pieces are hashed before they are copied, small ones afterwards: one checksum either way.
#[test]
fn small_and_large_pieces_make_one_checksum() {
    struct Blob(Vec<u8>);
    impl serde::Serialize for Blob {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }
    let lane = Lane::private(256 << 10);
    // SAFETY: one producer and one consumer of a fresh lane.
    let mut producer = unsafe { Producer::new(lane.clone(), Checksums::On, usize::MAX) };
    // SAFETY: as above.
    let mut consumer = unsafe { Consumer::new(lane, Checksums::On) };
    let list: Vec<u64> = (0..300).collect();
    for blob in [0, 1, 16 << 10, 40_001] {
        let blob = Blob((0..blob).map(|index| index as u8).collect());
        for value in [(vec![], &blob, list.clone(), &blob), (list.clone(), &blob, vec![], &blob)] {
            encode(&mut producer, notice(1), &value).expect("room");
            let mut bytes = Vec::new();
            crate::codec::encode_to_vec(&value, &mut bytes, usize::MAX).expect("it encodes");
            assert_eq!(take(&mut consumer).expect("the checksum is right").unwrap().1, bytes);
        }
    }
}

#[test]
fn the_header_in_the_ring_has_the_bytes_of_the_format() {
    let (mut producer, _) = pair();
    write(&mut producer, 0, b"hello");
    let mut bytes = [0; 21];
    // SAFETY: the frame was just written at position 0.
    unsafe { producer.lane().address(0).read(bytes.as_mut_ptr(), 21) };
    assert_eq!(&bytes[..4], [5, 0, 0, 0]);
    assert_eq!(&bytes[4..8], 0xe183_cab0_u32.to_le_bytes());
    assert_eq!(&bytes[8..16], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[16..], b"hello");
}

#[test]
fn an_empty_message_is_a_message() {
    let (mut producer, mut consumer) = pair();
    assert_eq!(write(&mut producer, 1, b""), 64);
    assert_eq!(take(&mut consumer).unwrap().map(|(_, bytes)| bytes), Some(vec![]));
}

#[test]
fn the_largest_frame_fits_and_one_byte_more_does_not_by_encoding() {
    let (mut producer, mut consumer) = pair();
    // A `&[u8]` is encoded as eight bytes of length and the bytes.
    let value = vec![7_u8; LARGEST - 8];
    encode(&mut producer, notice(1), &value).expect("the largest frame fits an empty ring");
    assert_eq!(take(&mut consumer).unwrap().unwrap().1.len(), LARGEST);
    let value = vec![7_u8; LARGEST - 7];
    assert!(matches!(encode(&mut producer, notice(1), &value), Err(Refused::NoRoom)));
}

#[test]
fn a_full_ring_refuses_and_takes_again_once_room_was_given_back() {
    let (mut producer, mut consumer) = pair();
    // One line stays back for the place of the next header.
    let frames = CAPACITY / 64 - 1;
    for number in 0..frames {
        write(&mut producer, number as u32, b"full");
    }
    assert!(matches!(producer.write(notice(0), [b"", &[]]), Err(Refused::NoRoom)));
    let peeked = consumer.peek().unwrap().unwrap();
    consumer.take(peeked, &mut FrameBuffer::default()).unwrap();
    let refused = producer.write(notice(0), [b"more", &[]]);
    assert!(matches!(refused, Err(Refused::NoRoom)), "taken, but not given back");
    consumer.publish();
    write(&mut producer, 99, b"more");
    for number in 1..frames {
        assert_eq!(take(&mut consumer).unwrap().unwrap().0.call_id, number as u32);
    }
    assert_eq!(take(&mut consumer).unwrap().unwrap().0.call_id, 99);
}

#[test]
fn a_frame_that_was_given_up_leaves_the_lane_as_it_was() {
    let (mut producer, mut consumer) = pair();
    write(&mut producer, 1, b"before");
    producer.clear_ahead();
    let mut frame = producer.begin(600).unwrap().expect("room");
    // And nothing comes of it.
    assert!(frame.put(&[0xFF; 600]));
    assert_eq!(take(&mut consumer).unwrap().unwrap().1, b"before");
    assert_eq!(take(&mut consumer), Ok(None));
    for _ in 0..10 {
        write(&mut producer, 2, b"after");
        assert_eq!(take(&mut consumer).unwrap().unwrap().1, b"after");
        assert_eq!(take(&mut consumer), Ok(None), "no header where bytes were left behind");
    }
}

#[test]
fn a_frame_in_the_ring_grows_into_room_that_was_given_back_meanwhile() {
    let (mut producer, mut consumer) = pair();
    for _ in 0..2 {
        write(&mut producer, 1, &[1; 1008]);
    }
    let mut frame = producer.begin(600).unwrap().expect("room");
    assert!(frame.put(&[2; 600]));
    assert!(!producer.extend(&mut frame, LARGEST - 600).unwrap(), "no room yet");
    take(&mut consumer).unwrap().unwrap();
    assert!(producer.extend(&mut frame, LARGEST - 600).unwrap(), "room before the end");
    assert!(frame.put(&[3; LARGEST - 600]));
    assert!(!producer.extend(&mut frame, 1).unwrap(), "larger than any frame");
    producer.finish(frame, notice(2));
    take(&mut consumer).unwrap().unwrap();
    let bytes = take(&mut consumer).unwrap().unwrap().1;
    assert_eq!((bytes.len(), bytes[599], bytes[600]), (LARGEST, 2, 3));
    // Now at the end, where there is no more, and then after it, where the last one's length tells.
    let (mut producer, _) = pair_near_end(1024);
    let mut frame = producer.begin(600).unwrap().expect("room");
    assert!(frame.put(&[2; 600]));
    assert!(!producer.extend(&mut frame, 600).unwrap());
    producer.write(notice(3), [&[4; 1200], &[]]).unwrap();
    producer.force_position(4 * CAPACITY as u64 - 1024);
    let mut frame = producer.begin(600).unwrap().expect("room");
    assert!(frame.put(&[2; 1200]));
    assert_eq!(producer.finish(frame, notice(4)), 4 * CAPACITY as u64 + 1216);
}

#[test]
fn a_smaller_maximum_bounds_frames_too() {
    let lane = Lane::private(CAPACITY);
    // SAFETY: the lane's one producer.
    let mut producer = unsafe { Producer::new(lane, Checksums::On, 20) };
    assert!(encode(&mut producer, notice(1), &[1_u8; 12].as_slice()).is_ok());
    assert!(matches!(
        encode(&mut producer, notice(1), &[1_u8; 13].as_slice()),
        Err(Refused::NoRoom)
    ));
}

// ---- the wrap -----------------------------------------------------------------------------------

#[test]
fn every_distance_to_the_end_and_every_size_wraps() {
    for before_end in (64..=512).step_by(64) {
        for size in 0..=520 {
            let (mut producer, mut consumer) = pair_near_end(before_end);
            let bytes: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
            for number in 0..3 {
                write(&mut producer, number, &bytes);
                let (header, taken) = take(&mut consumer).unwrap().unwrap();
                assert_eq!((header.call_id, &taken), (number, &bytes), "{before_end} {size}");
            }
            assert_eq!(take(&mut consumer), Ok(None));
        }
    }
}

#[test]
fn encoding_wraps_like_writing() {
    for before_end in (64..=512).step_by(64) {
        for size in 0..520 {
            let (mut producer, mut consumer) = pair_near_end(before_end);
            let value = vec![size as u8; size];
            let label = notice(5);
            // Where it does not fit before the end, a sender makes it elsewhere and copies it.
            if encode(&mut producer, label, &value).is_err() {
                let mut bytes = Vec::new();
                codec::encode_to_vec(&value, &mut bytes, usize::MAX).expect("encodable");
                producer.write(label, [&bytes, &[]]).expect("room");
            }
            let (_, bytes) = take(&mut consumer).unwrap().unwrap();
            assert_eq!(crate::codec::decode::<Vec<u8>>(&bytes).unwrap(), value);
        }
    }
}

#[test]
fn no_pad_where_the_frame_ends_with_the_ring() {
    let (mut producer, mut consumer) = pair_near_end(64);
    assert_eq!(write(&mut producer, 1, &[9; 48]), 3 * CAPACITY as u64);
    assert_eq!(take(&mut consumer).unwrap().unwrap().1, [9; 48]);
}

#[test]
fn pad_and_frame_are_published_together() {
    let (mut producer, mut consumer) = pair_near_end(64);
    let (pad, frame) = (producer.position(), 3 * CAPACITY as u64);
    assert_eq!(write(&mut producer, 1, &[1; 100]), frame + 128);
    let lane = producer.lane();
    assert_ne!(lane.presence(frame).load(Ordering::Relaxed), 0, "complete behind the pad");
    // Without the pad's one store nothing is there.
    let published = lane.presence(pad).swap(0, Ordering::Relaxed);
    assert_eq!(take(&mut consumer), Ok(None));
    lane.presence(pad).store(published, Ordering::Relaxed);
    assert_eq!(take(&mut consumer).unwrap().unwrap().1, [1; 100]);
}

/// What stands in the ring from the last lap is no frame: before one is published, the place of the
/// header behind it is cleared.
#[test]
fn nothing_of_the_last_lap_is_taken_for_a_frame() {
    let (mut producer, mut consumer) = pair();
    let mut sent = 0;
    while producer.position() < 5 * CAPACITY as u64 {
        // Payloads that look like headers of frames, of sizes that shift from lap to lap.
        let bytes = header_bytes(0, Kind::Notice).repeat(sent as usize % 13);
        write(&mut producer, sent, &bytes);
        assert_eq!(take(&mut consumer).unwrap().unwrap().0.call_id, sent);
        assert_eq!(take(&mut consumer), Ok(None), "after {sent}");
        sent += 1;
    }
}

#[test]
fn the_ring_takes_no_frame_without_a_free_line_behind_it() {
    let (mut producer, mut consumer) = pair();
    write(&mut producer, 1, &[1; LARGEST]);
    // Half a ring is free, but then the next header's place would be the first frame's.
    let refused = producer.write(notice(2), [&[2; LARGEST], &[]]);
    assert!(matches!(refused, Err(Refused::NoRoom)));
    write(&mut producer, 3, &[3; LARGEST - 64]);
    assert_eq!(take(&mut consumer).unwrap().unwrap().1, [1; LARGEST]);
    assert_eq!(take(&mut consumer).unwrap().unwrap().1, [3; LARGEST - 64]);
    assert_eq!(take(&mut consumer), Ok(None));
}

// ---- strangers ----------------------------------------------------------------------------------

#[test]
fn impossible_consumer_positions_are_violations() {
    for head in [8, CAPACITY as u64 + 16, u64::MAX - 15] {
        let (mut producer, _) = pair();
        write(&mut producer, 1, b"one");
        producer.lane().control().head.store(head, Ordering::Release);
        let refused = loop {
            if let Err(refused) = producer.write(notice(1), [&[0; 1000], &[]]) {
                break refused;
            }
        };
        assert!(matches!(refused, Refused::Violation(Violation::Position { .. })), "{head}");
    }
}

#[test]
fn lengths_across_the_end_are_violations() {
    for length in [49, 4080, 4081, u32::MAX - 15, u32::MAX] {
        let (producer, mut consumer) = pair_near_end(64);
        forge(&producer, header_bytes(length, Kind::Notice));
        assert!(matches!(take(&mut consumer), Err(Violation::Length { .. })), "{length}");
    }
}

#[test]
fn kinds_that_do_not_exist_are_violations() {
    for kind in 9..=u8::MAX {
        let (producer, mut consumer) = pair();
        let mut bytes = header_bytes(0, Kind::Notice);
        bytes[8] = kind;
        forge(&producer, bytes);
        assert!(matches!(take(&mut consumer), Err(Violation::Frame { .. })), "{kind}");
    }
}

#[test]
fn pads_must_reach_the_end_and_have_a_frame_behind_them() {
    let (producer, mut consumer) = pair_near_end(128);
    forge(&producer, header_bytes(48, Kind::Pad));
    assert!(matches!(take(&mut consumer), Err(Violation::Sequence(_))));

    let (producer, mut consumer) = pair_near_end(128);
    forge(&producer, header_bytes(112, Kind::Pad));
    assert!(matches!(take(&mut consumer), Err(Violation::Sequence(_))));
}

#[test]
fn a_changed_byte_is_a_violation_with_checksums_and_passes_without() {
    for checksums in [Checksums::On, Checksums::Off] {
        let (mut producer, mut consumer) = pair_with(checksums);
        write(&mut producer, 1, b"hello");
        // SAFETY: inside the frame just written.
        unsafe { producer.lane().address(16).write(b"j") };
        match (checksums, take(&mut consumer)) {
            (Checksums::On, Err(Violation::Frame { .. })) => {}
            (Checksums::Off, Ok(Some((_, bytes)))) => assert_eq!(bytes, b"jello"),
            (_, other) => panic!("{other:?}"),
        }
    }
}

// ---- waiting ------------------------------------------------------------------------------------

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

// ---- against a model ----------------------------------------------------------------------------

proptest::proptest! {
    #[test]
    fn any_sequence_of_writes_and_takes_is_a_queue(
        start in 1_u64..64,
        steps in proptest::collection::vec((proptest::bool::ANY, 0_usize..LARGEST), 1..400),
    ) {
        let (mut producer, mut consumer) = pair_near_end(start * 64);
        let mut model = std::collections::VecDeque::new();
        for (number, (writes, size)) in steps.into_iter().enumerate() {
            if writes {
                let bytes = vec![number as u8; size];
                match producer.write(notice(number as u32), [&bytes, &[]]) {
                    Ok(_) => model.push_back((number as u32, bytes)),
                    Err(Refused::NoRoom) => proptest::prop_assert!(!model.is_empty()),
                    Err(other) => panic!("{other:?}"),
                }
            } else {
                let taken = take(&mut consumer).unwrap();
                let taken = taken.map(|(header, bytes)| (header.call_id, bytes));
                proptest::prop_assert_eq!(taken, model.pop_front());
            }
        }
    }

    #[test]
    fn a_consumer_of_arbitrary_memory_ends_without_a_panic(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, CAPACITY),
        kinds in proptest::collection::vec(0_u8..10, CAPACITY / 64),
        lengths in proptest::collection::vec(0_u32..600, CAPACITY / 64),
        checksums in proptest::bool::ANY,
    ) {
        let checksums = if checksums { Checksums::On } else { Checksums::Off };
        let (producer, mut consumer) = pair_with(checksums);
        let mut bytes = bytes;
        for (line, (kind, length)) in bytes.chunks_mut(64).zip(kinds.iter().zip(&lengths)) {
            // Headers that are right more often than not, so that something behind them is reached.
            let header = Header { length: *length, kind: Kind::Notice, flags: 0, call_id: 0 };
            line[..16].copy_from_slice(&header.to_bytes(0));
            line[8] = *kind;
        }
        // SAFETY: exactly the ring's data.
        unsafe { producer.lane().address(0).write(&bytes[..CAPACITY]) };
        let mut frames = 0;
        // What nobody clears behind a forged frame may be there again in the next lap.
        while frames < 3 * CAPACITY / 64 && matches!(take(&mut consumer), Ok(Some(_))) {
            frames += 1;
        }
    }
}

// ---- threads ------------------------------------------------------------------------------------

#[test]
fn two_threads_pass_everything_in_order_through_the_smallest_ring() {
    const MESSAGES: u32 = 200_000;
    let (mut producer, mut consumer) = pair();
    let writer = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let size = (number as usize * 7) % 300;
            let bytes = vec![number as u8; size];
            while producer.write(notice(number), [&bytes, &[]]).is_err() {
                std::thread::yield_now();
            }
        }
    });
    let mut number = 0;
    while number < MESSAGES {
        match take(&mut consumer).expect("no violation") {
            Some((header, bytes)) => {
                assert_eq!(header.call_id, number);
                assert_eq!(bytes.len(), (number as usize * 7) % 300);
                assert!(bytes.iter().all(|byte| *byte == number as u8));
                number += 1;
            }
            None => std::thread::yield_now(),
        }
    }
    writer.join().unwrap();
    assert_eq!(take(&mut consumer), Ok(None));
}
