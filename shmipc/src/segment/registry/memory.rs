//! The registry's memory.

use crate::segment::doorbell::BellMemory;
use crate::segment::layout::constant;
use crate::sync::{AtomicU32, AtomicU64, Isolated};

/// Words of ready bits; the summary's last bit is the hand-over's.
pub(super) const READY_WORDS: usize = if cfg!(loom) { 1 } else { 63 };
/// Most links that a registry can tell apart.
pub(crate) const MAXIMUM_LINKS: usize = READY_WORDS * 64;
/// The summary's bit for a slot made ready.
pub(super) const HAND_OVER_BIT: u64 = 1 << 63;
/// Clients that can be in the middle of connecting at one time; more wait for their turn.
pub(crate) const SLOTS: usize = if cfg!(loom) { 1 } else { 64 };
/// The registry's memory. Everything is an atomic, because whoever has it mapped may write it at
/// any time.
#[repr(C, align(128))]
#[cfg_attr(loom, derive(Default))]
pub(super) struct RegistryMemory {
    pub(super) magic: AtomicU64,
    pub(super) layout_version: AtomicU32,
    pub(super) doorbell: AtomicU32,
    pub(super) length: AtomicU64,
    pub(super) generation: AtomicU64,
    pub(super) fingerprint: AtomicU64,
    pub(super) pid: AtomicU32,
    pub(super) flags: AtomicU32,
    pub(super) max_message: AtomicU64,
    pub(super) message_ring: AtomicU64,
    pub(super) reply_ring: AtomicU64,
    pub(super) max_links: AtomicU32,
    pub(super) schema_length: AtomicU32,
    /// The group whose members are admitted, plus one; zero: none.
    pub(super) admitted_group: AtomicU64,
    /// Room for what later versions tell.
    pub(super) reserved: [AtomicU64; 5],
    pub(super) bell: BellMemory,
    pub(super) listener_waits: Isolated<AtomicU32>,
    pub(super) ready_summary: Isolated<AtomicU64>,
    pub(super) ready: [AtomicU64; READY_WORDS + 1],
    pub(super) slots: [Slot; SLOTS],
}

/// A hand-over slot.
#[repr(C, align(128))]
#[cfg_attr(loom, derive(Default))]
pub(super) struct Slot {
    /// Written by the holder of the slot's lock: one of the `REQUEST_*`.
    pub(super) request: AtomicU32,
    pub(super) reserved: AtomicU32,
    /// Written by the holder: the link's id, high and low half.
    pub(super) link: [AtomicU64; 2],
    /// Written by the server: the answer, `ANSWER_ACCEPTED` or a refusal's code, valid for
    /// `answered`.
    pub(super) answer: AtomicU32,
    pub(super) reserved_too: AtomicU32,
    /// Written by the server: the link's id that it answers to.
    pub(super) answered: [AtomicU64; 2],
}

pub(super) const REQUEST_NONE: u32 = 0;
pub(super) const REQUEST_CLAIMED: u32 = 1;
pub(super) const REQUEST_READY: u32 = 2;

/// Any other answer is a refusal's code (`Refusal::to_code`).
pub(super) const ANSWER_ACCEPTED: u32 = 1;

/// A link that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) slot: usize,
    pub(crate) link_id: u128,
}

/// Registry flag: frames carry checksums.
pub(super) const FLAG_CHECKSUMS: u32 = 1;

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Slot>() == 128);
    assert!(offset_of!(RegistryMemory, magic) == 0);
    assert!(offset_of!(RegistryMemory, layout_version) == 8);
    assert!(offset_of!(RegistryMemory, pid) == 40);
    assert!(offset_of!(RegistryMemory, admitted_group) == 80);
    assert!(offset_of!(RegistryMemory, bell) == 128);
    assert!(offset_of!(RegistryMemory, listener_waits) == 384);
    assert!(offset_of!(RegistryMemory, ready_summary) == 512);
    assert!(offset_of!(RegistryMemory, ready) == 640);
    assert!(offset_of!(RegistryMemory, slots) == 1152);
    assert!(size_of::<RegistryMemory>() == SCHEMA_OFFSET);
};

/// Where the schema begins.
pub(super) const SCHEMA_OFFSET: usize = 9344;

pub(super) fn join(halves: &[AtomicU64; 2]) -> u128 {
    let [high, low] = halves.each_ref().map(constant);
    u128::from(high) << 64 | u128::from(low)
}

pub(super) fn split(id: u128, halves: &[AtomicU64; 2]) {
    halves[0].store((id >> 64) as u64, crate::sync::Ordering::Relaxed);
    halves[1].store(id as u64, crate::sync::Ordering::Relaxed);
}
