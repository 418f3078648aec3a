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
//! 1152  64 hand-over slots of 128 bytes                        claimed by clients, a lock each
//! 9344  schema: what `encode_schema` wrote                     written by the server, once
//! ```
//!
//! A slot's claim is the kernel's lock on its byte: a claimer that dies frees its slot, and what it
//! had named in it is removed by whoever comes next: the server's tick, another claimer, the next
//! server.

mod bind;
mod memory;
#[cfg(loom)]
mod modelled;
mod ready;
mod schema;
mod slots;
mod stale;
#[cfg(all(test, not(loom)))]
mod tests;
mod view;

pub(crate) use bind::Registry;
#[cfg(any(test, fuzzing))]
pub(crate) use memory::SLOTS;
pub(crate) use memory::{MAXIMUM_LINKS, Offer};
#[cfg(loom)]
pub(crate) use modelled::in_memory;
pub(crate) use schema::{Protocol, RegistryOptions, Schema};
pub(crate) use view::{OpenError, RegistryView, SlotClaim};
