//! The end of the ring, with forced positions.

use super::*;

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
    assert_ne!(lane.presence_word(frame).load(Ordering::Relaxed), 0, "complete behind the pad");
    // Without the pad's one store nothing is there.
    let published = lane.presence_word(pad).swap(0, Ordering::Relaxed);
    assert_eq!(take(&mut consumer), Ok(None));
    lane.presence_word(pad).store(published, Ordering::Relaxed);
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
