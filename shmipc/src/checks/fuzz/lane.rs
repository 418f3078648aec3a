//! A consumer over a ring in which a stranger writes.

use super::{Script, checksums};
use crate::link::inbound::Inbound;
use crate::ring::frame::{Checksums, FRAME_ALIGNMENT, HEADER_LENGTH, Header};
use crate::ring::{Consumer, Lane, MINIMUM_CAPACITY};
use crate::sync::Ordering;

/// A script of writes into a ring and looks at it.
pub fn consumer(data: &[u8]) {
    let mut script = Script(data);
    let Some(options) = script.byte() else { return };
    let lane = Lane::in_memory(MINIMUM_CAPACITY);
    let checksums = checksums(options & 1 != 0);
    // SAFETY: the one consumer of a fresh lane.
    let consumer = unsafe { Consumer::new(lane.clone(), checksums) };
    let maximum = 16 << (options >> 4);
    let mut inbound = Inbound::new(consumer, maximum);
    while let Some(step) = script.byte() {
        match step % 6 {
            0 => scribble(&lane, &mut script),
            1 | 2 => frame(&lane, checksums, inbound.consumer().position(), &mut script),
            3 => control(&lane, &mut script),
            4 => inbound.trim(),
            _ => {
                if !look(&lane, &mut inbound, maximum, usize::from(step / 6)) {
                    return;
                }
            }
        }
    }
    look(&lane, &mut inbound, maximum, 100);
}

fn write(lane: &Lane, position: u64, bytes: &[u8]) {
    let room = bytes.len().min(lane.to_end(position) as usize);
    // SAFETY: `address` is followed by `to_end` bytes, and only this thread has the lane.
    unsafe { lane.address(position).write(&bytes[..room]) };
}

/// Any bytes anywhere.
fn scribble(lane: &Lane, script: &mut Script<'_>) {
    let (Some(position), Some(length)) = (script.word(), script.byte()) else { return };
    write(lane, u64::from(position), script.bytes(usize::from(length)));
}

/// A frame where the consumer looks for it, of any kind and length, with the right checksum.
fn frame(lane: &Lane, checksums: Checksums, position: u64, script: &mut Script<'_>) {
    let header = script.bytes(8);
    let [kind, flags, low, high, id, clears, length, filler] = *header else { return };
    let length = u32::from(length) | u32::from(low) << 8 | u32::from(high) << 16;
    let mut bytes = [0; HEADER_LENGTH];
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[8..10].copy_from_slice(&[kind, flags]);
    bytes[12] = id;
    let prefix = script.bytes(8);
    let mut payload = vec![filler; (length as usize).min(MINIMUM_CAPACITY)];
    for (to, from) in payload.iter_mut().zip(prefix) {
        *to = *from;
    }
    if let Ok((header, _)) = Header::parse(Header::words_of(bytes))
        && checksums == Checksums::On
    {
        bytes = header.to_bytes(header.checksum(if kind == 6 { &[] } else { &payload }));
    }
    write(lane, position + HEADER_LENGTH as u64, &payload);
    write(lane, position, &bytes);
    let next = position + (HEADER_LENGTH + payload.len()).next_multiple_of(FRAME_ALIGNMENT) as u64;
    if clears % 8 != 0 {
        write(lane, next, &[0; HEADER_LENGTH]);
    }
}

fn control(lane: &Lane, script: &mut Script<'_>) {
    let (Some(which), Some(value)) = (script.byte(), script.long()) else { return };
    let control = lane.control();
    match which % 3 {
        0 => control.head.store(u64::from(value), Ordering::Relaxed),
        1 => control.consumer_waits.store(value, Ordering::Relaxed),
        _ => control.producer_waits.store(value, Ordering::Relaxed),
    }
}

/// Takes so many messages. `false`: the stranger was found out.
fn look(lane: &Lane, inbound: &mut Inbound, maximum: usize, messages: usize) -> bool {
    for _ in 0..=messages {
        let before = inbound.consumer().position();
        let Ok(received) = inbound.next() else { return false };
        let after = inbound.consumer().position();
        assert!(after >= before && after % FRAME_ALIGNMENT as u64 == 0);
        // At most so many fragments, each no longer than the ring.
        assert!(after - before <= 65 * lane.capacity());
        if received.is_none() {
            break;
        }
        assert!(after > before);
        assert!(inbound.payload().len() <= maximum.max(2048));
        inbound.consumer().publish();
        assert_eq!(lane.control().head.load(Ordering::Relaxed), after);
    }
    true
}
