//! One lane: a single-producer single-consumer ring of frames over any memory.
//!
//! `tail` and `head` are positions: bytes written and bytes taken since the lane began, 64-bit,
//! never reset. An index into the data is a position masked by `capacity - 1`. Each side keeps its
//! own position in private memory and only writes the shared one; the other side's is read as
//! coming from a stranger: `head <= tail <= head + capacity`, multiples of 16, or the lane is damaged.
//!
//! A frame lies contiguous; where it does not fit before the end, a pad fills the rest. It exists
//! from the one store that moves `tail` past it: a producer killed before that store sent nothing.
//!
//! # Pairs of atomics
//! | name | releasing end | acquiring end | what passes |
//! |---|---|---|---|
//! | `tail` | `Producer::publish` | `Consumer::refresh` | the frames' bytes |
//! | `head` | `Consumer::publish` | `Producer::refresh` | the room of the frames that were copied out |
//! | `consumer-waits` | `Consumer::announce_wait` | `Producer::consumer_waits` | that a wake-up is wanted for data |
//! | `producer-waits` | `Producer::announce_wait` | `Consumer::producer_waits` | that a wake-up is wanted for room |
//!
//! The last two are store-then-load on both sides, which needs sequentially consistent fences; the
//! argument stands in [`crate::doorbell`].

mod consumer;
mod layout;
mod producer;

pub(crate) use consumer::Consumer;
pub(crate) use layout::{Lane, LaneControl, MAXIMUM_CAPACITY, MINIMUM_CAPACITY};
pub(crate) use producer::{Label, Producer, Refused, has_news};

use crate::frame::FrameError;

/// What the other side of a lane wrote that no correct peer writes. Ends the link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("position {found}, expected a multiple of 16 from {least} to {most}")]
    Position { found: u64, least: u64, most: u64 },
    #[error("a frame of {length} bytes at position {position}, where {available} are there")]
    Length { length: u64, position: u64, available: u64 },
    #[error("at position {position}: {error}")]
    Frame { position: u64, error: FrameError },
    #[error("{0}")]
    Sequence(&'static str),
    #[error("a message of {length} bytes, the link's maximum is {maximum}")]
    TooLarge { length: u64, maximum: u64 },
}

#[cfg(all(test, not(loom)))]
mod tests;
