//! What a peer writes that is no honest producer or consumer.

use super::*;

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
