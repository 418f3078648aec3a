//! Frames of every size, as they go in and come out.

use super::*;

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
    let lane = Lane::in_memory(256 << 10);
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
    let lane = Lane::in_memory(CAPACITY);
    // SAFETY: the lane's one producer.
    let mut producer = unsafe { Producer::new(lane, Checksums::On, 20) };
    assert!(encode(&mut producer, notice(1), &[1_u8; 12].as_slice()).is_ok());
    assert!(matches!(
        encode(&mut producer, notice(1), &[1_u8; 13].as_slice()),
        Err(Refused::NoRoom)
    ));
}
