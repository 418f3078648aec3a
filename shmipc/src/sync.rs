//! The atomics, locks and parking: `std`'s, or `loom`'s when the shipped code is model-checked
//! (`--cfg loom`, see `crate::models`). Everything that two processes or two threads share goes
//! through here.

#[cfg(tsan)]
mod annotated;
#[cfg(loom)]
mod modelled;

#[cfg(not(loom))]
pub(crate) use real::{Condvar, Mutex, MutexGuard, OnceLock};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::thread::{Thread, current, park_timeout};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use modelled::{
    OnceLock, Thread, broken, current, futex_wait, futex_wake, park_timeout, with_fault,
};

/// The locks of the process's own threads, which no model has. Under the thread sanitizer with a
/// standard library that it cannot look into (`--cfg tsan`, see `ci/sanitize`) they tell it what
/// they order.
pub(crate) mod real {
    #[cfg(tsan)]
    pub(crate) use super::annotated::{Condvar, Mutex, MutexGuard, OnceLock};
    #[cfg(not(tsan))]
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
}

/// Faults that a model builds into the shipped code to see that the checker finds them.
#[cfg_attr(not(loom), allow(dead_code, reason = "some stand in code that only models have"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A frame is published without releasing what it holds.
    PublishRelaxed,
    /// The next header's place is not cleared before a frame is published.
    PlaceNotCleared,
    /// Places are cleared ahead without regard to what the consumer has not taken.
    ClearedTooFar,
    /// No line is kept back for the next header's place.
    NoLineBack,
    /// Room is given back before the frame was copied out.
    RoomTooEarly,
    /// A pad is published before the frame behind it.
    PadFirst,
    /// Who is about to sleep says so after its last look.
    AnnouncedLate,
    /// The consumer's announcement is not fenced.
    AnnouncedUnfenced,
    /// The producer looks whether the consumer sleeps without a fence.
    LookedUnfenced,
    /// The bell's token is taken after the last look.
    TokenLate,
    /// Who gives room back does not look whether it is waited for with a fence.
    RoomUnfenced,
    /// A queue that waits for room says so after its last look.
    QueueAnnouncedLate,
    /// Whoever ends a turn puts the producer back without looking whether anything is queued.
    QueueUnlooked,
    /// Whoever ends a turn for want of room does not look whether some came meanwhile.
    RoomUnlooked,
    /// Whoever ends a turn wakes nobody who waits for it.
    TurnUntold,
    /// A leader does not wake the next.
    NoHandOn,
    /// A leader wakes the next before it puts the reader back, and without the lock.
    HandOnEarly,
    /// A follower goes to sleep without saying under the lock who it is.
    FollowerUnnamed,
    /// An answer for another caller does not wake it.
    AnswerUntold,
    /// The listener is told of an offer before it is one.
    OfferedEarly,
    /// An answer is told before it is written.
    AnsweredEarly,
    /// Who waits for an answer to its offer is woken before it is there.
    AnswerRungEarly,
    /// A bit of the summary is set before the link's own.
    SummaryFirst,
    /// The position is published after the look whether this side was closed.
    PublishedLate,
    /// Closing says goodbye before it has this side drop what it takes.
    GoodbyeFirst,
    /// Whether this side was closed is looked at without a fence after the position.
    TakenUnfenced,
    /// Closing wakes nobody on the other side.
    ClosedQuietly,
}

/// Is this fault built in? Never, but in a model.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn broken(_: Fault) -> bool {
    false
}

/// A value alone in its 128 bytes: two lines of 64 on x86-64 (whose prefetcher fetches pairs), one
/// on processors with lines of 128. Fixed, never a per-architecture constant: two processes built
/// for one machine must agree on it.
#[repr(C, align(128))]
pub(crate) struct Isolated<T>(pub(crate) T);

impl<T> std::ops::Deref for Isolated<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Isolated<AtomicU64>>() == 128);
    assert!(size_of::<Isolated<AtomicU32>>() == 128);
};
