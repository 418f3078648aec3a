//! What the sweep's processes say to each other through the library.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use shmipc::ShmMessage;

/// What clients say.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = Down)]
pub(crate) enum Up {
    /// The first message of a link: the server shall send events and requests.
    Begin,
    /// The next message of a stream.
    Numbered { stream: u32, sequence: u64, bytes: ByteBuf },
    /// A request on record.
    #[shm(reply = ByteBuf)]
    Ask { ticket: u32, bytes: ByteBuf },
    /// A request whose caller does not wait so long.
    #[shm(reply = ())]
    Dawdle { micros: u64 },
    /// The next message of a bystander; gives the number that was expected.
    #[shm(reply = u64)]
    Tick { sequence: u64 },
}

/// What servers say.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub(crate) enum Down {
    /// The next message of a stream.
    Numbered { stream: u32, sequence: u64, bytes: ByteBuf },
    /// A request on record.
    #[shm(reply = ByteBuf)]
    Ask { ticket: u32, bytes: ByteBuf },
}

/// Bytes that are different for every message.
pub(crate) fn pattern(number: u32, sequence: u64, length: usize) -> ByteBuf {
    let start = u64::from(number).wrapping_mul(0x9e37) ^ sequence.wrapping_mul(0x85eb);
    ByteBuf::from((0..length).map(|index| byte(start, index)).collect::<Vec<u8>>())
}

pub(crate) fn is_pattern(number: u32, sequence: u64, bytes: &[u8]) -> bool {
    let start = u64::from(number).wrapping_mul(0x9e37) ^ sequence.wrapping_mul(0x85eb);
    bytes.iter().enumerate().all(|(index, found)| *found == byte(start, index))
}

fn byte(start: u64, index: usize) -> u8 {
    (start.wrapping_add(index as u64).wrapping_mul(0x9e37_79b9) >> 13) as u8
}

/// Mostly small, some of a few fragments, a few larger than the largest ring (64 KiB).
pub(crate) fn any_length(random: &mut fastrand::Rng) -> usize {
    match random.u32(0..100) {
        0..75 => random.usize(0..256),
        75..95 => random.usize(256..12_000),
        _ => random.usize(70_000..200_000),
    }
}
