//! Messages to frames: one lane's writing end, shared by the threads of this process.
//!
//! Two manners of sending, one for each lane:
//! - *blocking*: the sender waits for room up to its deadline (a client's messages);
//! - *queueing*: the sender never waits; what does not fit stands in a private queue of bounded
//!   size until the peer reads (everything that a listener sends).
//!
//! A message is encoded once, and not under the lock ([`encoding`]): a small one in private memory,
//! a larger one in the ring, or in a buffer from which it goes through the ring in fragments, with
//! no other message of the lane in between. Who writes more than a small frame takes the [`turn`];
//! the lock is held for moments only.

mod encoding;
mod fragments;
mod queue;
mod turn;

use std::collections::VecDeque;
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::TryLockError;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::Link;
use crate::codec::TooLargeOr;
use crate::error::SendError;
use crate::os::wait::{self, Deadline, WAITING_SLICE};
use crate::ring::{
    Label, Lane, Producer, Refused, SmallFrame, consumer_waits, has_news, was_taken,
};
use crate::segment::doorbell::{ForRoom, Slept};
use crate::segment::link::LaneId;
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};
use encoding::{Encoded, SendMode};
use fragments::Fragments;
use queue::Queued;
pub(crate) use turn::Flushed;
use turn::Line;

/// Buffers above this are given back after the message that needed them.
const KEPT_BUFFER: usize = 4 << 20;

/// One lane's writing end.
pub(crate) struct Outbound {
    lane_id: LaneId,
    lane: Lane,
    /// Held for moments, and never while the user's code runs.
    state: Mutex<State>,
    /// Threads that found the lock held.
    contending: AtomicU32,
    /// Flushes that found the lock taken.
    fruitless: AtomicU32,
    /// Largest message in bytes.
    maximum: usize,
    /// Most bytes that go into one frame.
    largest_payload: usize,
    /// Most bytes in the private queue.
    queue_maximum: usize,
    /// Whether the queue has anything, for a look without the lock.
    queue_busy: AtomicU32,
    /// Where the next frame goes, as a hint.
    next: AtomicU64,
}

struct State {
    /// `None` while somebody has the turn ([`turn`]).
    producer: Option<Box<Producer>>,
    /// Who waits for the turn.
    line: Line,
    /// A buffer for the next message that needs one.
    scratch: Vec<u8>,
    queue: VecDeque<Queued>,
    /// Bytes in `queue`, and of the message that is leaving it.
    queued: usize,
    /// The request that is leaving the queue, if its caller waits for it.
    leaving: Option<u32>,
    /// Ends of requests that went through the queue, until their calls end.
    queued_ends: Vec<(u32, u64)>,
    /// Whether the queue is counted among those that wait for room.
    armed: bool,
    /// Events dropped since the last gap was told.
    missed: u64,
}

/// Whether a sleeping consumer is told of a message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Yes.
    Now,
    /// Not of one that went into the ring at once: [`Outbound::tell`] follows.
    Later,
}

/// What to do with a message for which the queue is too full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Take it all the same: the sender sees to it that there are few ([`Outbound::is_congested`]).
    Queue,
    /// Refuse it.
    Refuse,
    /// Refuse it, and tell the peer how many were refused.
    Count,
}

/// Where a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Into the ring; its last frame ends here.
    At(u64),
    /// Into the private queue.
    Queued,
}

impl Outbound {
    pub(crate) fn new(
        lane_id: LaneId,
        producer: Producer,
        maximum: usize,
        queue_maximum: usize,
    ) -> Self {
        Self {
            lane_id,
            lane: producer.lane().clone(),
            largest_payload: producer.largest_payload(),
            state: Mutex::new(State {
                producer: Some(Box::new(producer)),
                line: Line::default(),
                scratch: Vec::new(),
                queue: VecDeque::new(),
                queued: 0,
                leaving: None,
                queued_ends: Vec::new(),
                armed: false,
                missed: 0,
            }),
            contending: AtomicU32::new(0),
            fruitless: AtomicU32::new(0),
            maximum,
            queue_maximum,
            queue_busy: AtomicU32::new(0),
            next: AtomicU64::new(0),
        }
    }

    /// Sends one message, waiting for room up to the deadline.
    #[inline]
    pub(crate) fn send_blocking<T: Serialize + ?Sized>(
        &self,
        link: &Link,
        label: Label,
        value: &T,
        deadline: &mut Deadline,
        tell: Tell,
    ) -> Result<u64, SendError> {
        let mut small = SmallFrame::new();
        match self.encode(link, value, &mut small, SendMode::Blocking(deadline)) {
            None => match self.send_small(link, label, &mut small, tell) {
                Some(end) => Ok(end),
                None => self.send_in_line(link, label, small.payload(), deadline),
            },
            Some(encoded) => self.send_large(link, label, encoded, deadline),
        }
    }

    #[inline(never)]
    fn send_large(
        &self,
        link: &Link,
        label: Label,
        encoded: Result<Encoded<'_>, SendError>,
        deadline: &mut Deadline,
    ) -> Result<u64, SendError> {
        match encoded? {
            Encoded::InPlace(turn, frame) => turn.finish(frame, label),
            Encoded::Spilled(bytes) => {
                let sent = self.send_in_line(link, label, &bytes, deadline);
                self.keep_scratch(bytes);
                sent
            }
        }
    }

    /// Puts a small frame into the ring, if nobody is before it and there is room. What else may
    /// keep it back is found again by who then queues it, or waits.
    #[inline]
    fn send_small(
        &self,
        link: &Link,
        label: Label,
        small: &mut SmallFrame,
        tell: Tell,
    ) -> Option<u64> {
        let mut state = self.lock();
        if !state.is_free() {
            return None;
        }
        let producer = state.producer.as_deref_mut()?;
        let end = producer.write_small(label, small).ok()?;
        let wanted = tell == Tell::Now && consumer_waits(&self.lane);
        producer.clear_ahead();
        drop(state);
        self.next_is_at(end);
        if wanted {
            link.ring_for_data(self.lane_id);
        }
        Some(end)
    }

    /// Sends a message that is encoded already, in its turn, waiting for room up to the deadline.
    #[cold]
    fn send_in_line(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
        deadline: &mut Deadline,
    ) -> Result<u64, SendError> {
        let mut fragments = Fragments::new(label, bytes.len(), self.largest_payload);
        let mut turn = self.wait_for_turn(link, deadline)?;
        loop {
            match turn.write(&mut fragments, bytes)? {
                Ok(end) => return Ok(end),
                Err(seen_head) => self.wait_for_room(link, seen_head, deadline)?,
            }
        }
    }

    /// Wakes the consumer if it sleeps, for messages of which it was not told.
    pub(crate) fn tell(&self, link: &Link) {
        self.notify(link);
    }

    /// Nothing that panics runs under this lock.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.try_lock().unwrap_or_else(|| self.lock_contended())
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        #[cfg(not(loom))]
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
        // What a model may try it waits for: trying again is the checker's business.
        #[cfg(loom)]
        Some(self.lock_contended())
    }

    /// After some fruitless tries the lock itself: whoever has it may be kept from running by those
    /// who try again and again.
    #[cold]
    fn lock_after_tries(&self) -> Option<MutexGuard<'_, State>> {
        const TRIES: u32 = 64;
        // Relaxed: it guards nothing.
        let is_due = self.fruitless.fetch_add(1, Ordering::Relaxed) % TRIES == TRIES - 1;
        is_due.then(|| self.lock_contended())
    }

    #[cold]
    fn lock_contended(&self) -> MutexGuard<'_, State> {
        if cfg!(loom) {
            return self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
        self.contending.fetch_add(1, Ordering::Relaxed);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.contending.fetch_sub(1, Ordering::Relaxed);
        state
    }

    /// Lets those have the lock who want it, for who may come again and again: the lock is not
    /// fair.
    fn let_others(&self) {
        if !cfg!(loom) && self.contending.load(Ordering::Relaxed) != 0 {
            thread::yield_now();
        }
    }

    /// Remembers where the next frame goes. A hint: nothing depends on it.
    #[inline]
    fn next_is_at(&self, position: u64) {
        if !cfg!(loom) {
            self.next.store(position, Ordering::Relaxed);
        }
    }

    /// The consumer looks at the next frame's line; asked for now, it is here when the frame is
    /// made.
    #[inline]
    fn ask_for_next(&self) {
        if !cfg!(loom) {
            self.lane.prefetch_for_writing(self.next.load(Ordering::Relaxed));
        }
    }

    fn take_scratch(&self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.lock().scratch);
        bytes.clear();
        bytes
    }

    /// Keeps a buffer for the next message that needs one, if it is larger than the one that is
    /// kept.
    fn keep_scratch(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        bytes.shrink_to(KEPT_BUFFER);
        self.lock().keep(bytes);
    }

    #[inline]
    fn notify(&self, link: &Link) {
        if consumer_waits(&self.lane) {
            link.ring_for_data(self.lane_id);
        }
    }

    /// Has the peer taken everything up to `end`?
    pub(crate) fn was_taken(&self, end: u64) -> bool {
        was_taken(&self.lane, end)
    }

    fn time_left(&self, link: &Link, deadline: &mut Deadline) -> Result<Duration, SendError> {
        if let Some(departure) = link.ended_for_certain() {
            return Err(link.send_error(departure));
        }
        deadline
            .left()
            .ok_or_else(|| SendError::Deadline { waited: deadline.waited(), pid: link.peer().pid })
    }

    /// Waits until the consumer gave room back since `seen_head`, the link ended, or the deadline
    /// passed. Called without the lock.
    fn wait_for_room(
        &self,
        link: &Link,
        seen_head: u64,
        deadline: &mut Deadline,
    ) -> Result<(), SendError> {
        let moved = || has_news(&self.lane, seen_head).then_some(());
        let bell = link.room_bell();
        loop {
            if wait::spin(link.spin_budget(), deadline, moved).is_some() {
                // A peer that gives room back by the spoonful does not stretch the deadline.
                return match deadline.has_passed() {
                    true => self.time_left(link, deadline).map(drop),
                    false => Ok(()),
                };
            }
            // A peer that waits for room for its replies takes no messages: replies that nobody
            // waits for any more must not stand in the way.
            link.calls().drain(link);
            let token = bell.token();
            let left = self.time_left(link, deadline)?;
            let slept = bell.sleep_unless(token, &mut ForRoom(&self.lane), |_| {
                moved().is_none().then(|| left.min(WAITING_SLICE))
            });
            if slept == Slept::InVain {
                // What it finds is told by the next look at the time that is left.
                drop(link.ended_after_a_wait());
            }
            // An event wakes one sleeper; it wakes the next.
            let others = self.lane.control().producer_waits.load(Ordering::Relaxed) > 0;
            if others && moved().is_some() {
                bell.ring();
            }
        }
    }
}

impl State {
    /// Is it nobody's turn, with nobody before who only just comes?
    #[inline]
    fn is_free(&self) -> bool {
        self.producer.is_some() && self.queue.is_empty() && self.missed == 0 && !self.line.is_due
    }

    /// Keeps memory for the next message that does not fit at once.
    fn keep(&mut self, bytes: Vec<u8>) {
        if (self.scratch.capacity()..=KEPT_BUFFER).contains(&bytes.capacity()) {
            self.scratch = bytes;
        }
    }
}

fn too_large_or(error: TooLargeOr, maximum: usize) -> SendError {
    match error {
        TooLargeOr::TooLarge { length } => SendError::TooLarge { length, maximum },
        TooLargeOr::Value(error) => SendError::Encode(error),
    }
}

/// A refusal other than for want of room.
fn refused(link: &Link, refused: Refused) -> SendError {
    match refused {
        Refused::Violation(violation) => link.send_error(link.accuse(&violation)),
        Refused::NoRoom => SendError::Overflow { pid: link.peer().pid, queued: 0 },
    }
}
