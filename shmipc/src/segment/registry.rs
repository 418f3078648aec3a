//! The registry: the segment that carries a server's name. Through it a client learns what the
//! server speaks, hands its link over, and from then on says that its link wants to be looked at.
//!
//! ```text
//!    0  header: magic, version, protocol, options              written by the server, once
//!  128  doorbell of the listener                               rung by clients
//!  384  listener_waits                                         written by the server
//!  512  ready_summary: bit w: word w of `ready` has a bit;
//!       bit 63: a slot was made ready                          set by clients, taken by the server
//!  640  ready: bit b of word w: link 64 w + b                  set by clients, taken by the server
//! 1152  64 hand-over slots of 128 bytes                        claimed by clients under a lock each
//! 9344  schema: what `encode_schema` wrote                     written by the server, once
//! ```
//!
//! A slot's claim is the kernel's lock on its byte: a claimer that dies frees its slot, and what it
//! had named in it is removed by whoever comes next: the server's tick, another claimer, the next
//! server.

mod bind;
#[cfg(loom)]
mod modelled;
mod slots;
mod stale;
mod view;

pub(crate) use bind::{Registry, RegistryOptions};
#[cfg(loom)]
pub(crate) use modelled::private;
pub(crate) use view::{Obstacle, RegistryView, SlotClaim};

use serde::{Deserialize, Serialize};

use crate::segment::doorbell::BellMemory;
use crate::sync::{AtomicU32, AtomicU64, Isolated};
use crate::typed::message::{ShmMessage, Variant};

/// Words of ready bits; the summary's last bit is the hand-over's.
pub(super) const READY_WORDS: usize = if cfg!(loom) { 1 } else { 63 };
/// Most links that a registry can tell apart.
pub(crate) const MAXIMUM_LINKS: usize = READY_WORDS * 64;
/// The summary's bit for a slot made ready.
pub(super) const HAND_OVER_BIT: u64 = 1 << 63;
/// Clients that can be in the middle of connecting at one time; more wait for their turn.
pub(crate) const SLOTS: usize = if cfg!(loom) { 1 } else { 64 };
/// Most bytes in a schema.
const MAXIMUM_SCHEMA: usize = 1 << 20;

/// The registry's memory. Everything is an atomic, because whoever has it mapped may write it at any
/// time.
#[repr(C, align(128))]
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
    reserved: [AtomicU64; 5],
    pub(super) bell: BellMemory,
    pub(super) listener_waits: Isolated<AtomicU32>,
    pub(super) ready_summary: Isolated<AtomicU64>,
    pub(super) ready: [AtomicU64; READY_WORDS + 1],
    pub(super) slots: [Slot; SLOTS],
}

/// A hand-over slot.
#[repr(C, align(128))]
pub(super) struct Slot {
    /// Written by the holder of the slot's lock: one of the `REQUEST_*`.
    pub(super) request: AtomicU32,
    reserved: AtomicU32,
    /// Written by the holder: the link's id, high and low half.
    pub(super) link: [AtomicU64; 2],
    /// Written by the server: the answer, `ANSWER_ACCEPTED` or a refusal's code, valid for `answered`.
    pub(super) answer: AtomicU32,
    reserved_too: AtomicU32,
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
    let [high, low] = halves.each_ref().map(super::constant);
    u128::from(high) << 64 | u128::from(low)
}

pub(super) fn split(id: u128, halves: &[AtomicU64; 2]) {
    halves[0].store((id >> 64) as u64, crate::sync::Ordering::Relaxed);
    halves[1].store(id as u64, crate::sync::Ordering::Relaxed);
}

/// What a server tells of its protocol besides the fingerprint, so that a mismatch can be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) protocol: String,
    pub(crate) variants: Vec<(String, u64)>,
    pub(crate) events: String,
    pub(crate) event_variants: Vec<(String, u64)>,
}

impl Schema {
    pub(crate) fn of<P: ShmMessage>() -> Self {
        fn list(variants: &[Variant]) -> Vec<(String, u64)> {
            variants.iter().map(|variant| (variant.name.into(), variant.fingerprint)).collect()
        }
        Self {
            protocol: P::NAME.into(),
            variants: list(P::VARIANTS),
            events: P::Events::NAME.into(),
            event_variants: list(<P::Events as ShmMessage>::VARIANTS),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
