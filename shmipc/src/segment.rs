//! Segments: files in shared memory. They are made through `shared_memory`, with a descriptor of
//! our own beside it for what that crate does not do: the owner's check, the reservation of memory,
//! and the locks that tell who lives. What another process made is opened once, and mapped from the
//! very descriptor that was checked.
//!
//! | kind | name | made by |
//! |---|---|---|
//! | registry | `shmipc.r.` and the server's name | the server |
//! | link | `shmipc.l.` and 128 random bits in hexadecimal | the client; the name is gone once both have it |
//!
//! # Attaching, in stages
//! 1. open the name, once; the owner must be this user, or one that was named as trusted, and of a
//!    link nobody else may have been able to write it;
//! 2. it must be long enough for a header; map what was opened;
//! 3. magic and layout version, published last by the creator: zero means "not ready yet";
//! 4. the length that the header tells must be the file's;
//! 5. only then anything else.
//!
//! A process of the same user could cut the file afterwards, and touching what was cut would be a
//! bus error: no library can prevent that, see the threat model in the crate's docs.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod doorbell;
mod error;
#[cfg(all(test, not(loom)))]
mod forked;
mod layout;
pub(crate) mod link;
mod mapping;
#[cfg(loom)]
mod modelled;
pub(crate) mod name;
pub(crate) mod options;
pub(crate) mod registry;
mod sweep;

pub use admission::Admission;
pub use doorbell::Doorbell;
pub(crate) use error::SegmentError;
pub(crate) use layout::{LAYOUT_VERSION, MAGIC};
pub(crate) use mapping::{Candidate, Mapping};
pub(crate) use sweep::sweep;
