//! Faults for models. Where the shipped code asks [`broken`], a model can build one in; elsewhere
//! the answer is a constant, and nothing of it is compiled.

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

#[cfg(loom)]
pub(crate) use super::modelled::broken;
