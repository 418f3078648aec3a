//! One lane: a single-producer single-consumer ring of frames over any memory.
//!
//! Positions count bytes since the lane began: 64-bit, never reset, multiples of 64 where a frame
//! starts. An index into the data is a position masked by `capacity - 1`. Each side keeps its own
//! position in private memory. The consumer's is shared too, as `head`, and what the producer reads
//! there is taken as coming from a stranger: `head` never goes back, never passes what was written,
//! and is a multiple of 64, or the lane is damaged.
//!
//! # When a frame is there
//! A frame exists from the one store that fills the second word of its header: the consumer looks
//! at the place where the next header must come, and zero there means "nothing yet". For that to be
//! true the producer, before it publishes a frame, clears the place of the header *behind* it; that
//! place must be free too, so a ring is never filled to its last line. A producer killed before the
//! one store sent nothing; every byte has one writer.
//!
//! A frame lies contiguous; where it does not fit before the end, a pad fills the rest. The frame
//! behind the pad is complete before the pad is published, so both appear with the pad's one store.
//!
//! # Pairs of atomics
//! | name | releasing end | acquiring end | what passes |
//! |---|---|---|---|
//! | `present` | `Producer::publish` | `Consumer::read_header`, `has_data` | the frame, and the zero behind it |
//! | `head` | `Consumer::publish` | `Producer::refresh`, `was_taken` | the room of the frames that were copied out |
//! | `consumer-waits` | `Consumer::announce_wait` | `consumer_waits` | that a wake-up is wanted for data |
//! | `producer-waits` | `Producer::announce_wait` | `Consumer::producer_waits` | that a wake-up is wanted for room |
//!
//! `consumer-waits` and `producer-waits` are store-then-load on both sides, which needs
//! sequentially consistent fences; the argument stands in [`crate::segment::doorbell`].
//!
//! The pairs of what lies around the lanes (`bell`, `closing`, `goodbye`, `accepted`, `link-ready`,
//! `registry-ready`, `ready`, `listener-waits`, `slot`, `answer`) stand where they are used: each
//! name is found at both its ends.

mod buffer;
mod consumer;
pub(crate) mod foreign;
pub(crate) mod frame;
mod layout;
mod producer;
mod sink;
mod small;
mod violation;

pub(crate) use buffer::{Assembly, FrameBuffer};
pub(crate) use consumer::Consumer;
pub(crate) use frame::Label;
pub(crate) use layout::{Lane, LaneControl, MAXIMUM_CAPACITY, MINIMUM_CAPACITY};
pub(crate) use producer::{Producer, Refused, consumer_waits, has_news, was_taken};
pub(crate) use sink::InPlace;
pub(crate) use small::{SMALL_FRAME, SmallFrame};
pub(crate) use violation::Violation;

#[cfg(all(test, not(loom)))]
mod tests;
