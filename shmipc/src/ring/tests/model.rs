//! Any sequence of writes and takes, beside a queue; any memory at all; and two threads.

use super::*;

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
