//! Messages to frames: one lane's writing end, shared by the threads of this process.
//!
//! Two manners of sending, one for each lane:
//! - *blocking*: the sender waits for room up to its deadline (a client's messages);
//! - *queueing*: the sender never waits; what does not fit stands in a private queue of bounded size
//!   until the peer reads (everything that a listener sends).
//!
//! A message that fits into a frame is encoded straight into the ring. A larger one is encoded to a
//! private buffer and sent in fragments, with no other message of the lane in between.

mod queue;

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;

use super::Link;
use super::inbound::LENGTH_PREFIX;
use crate::codec::{self, TooLargeOr};
use crate::error::SendError;
use crate::frame::{FragmentFlags, Kind};
use crate::ring::{Label, Lane, Producer, Refused, has_news};
use crate::segment::link::LaneId;
use crate::sync::{AtomicU32, Condvar, Fault, Mutex, MutexGuard, Ordering, broken};
use crate::wait::{self, Deadline, WAITING_SLICE};
use queue::Queued;
pub(crate) use queue::WhenFull;

/// Buffers above this are given back after the message that needed them.
const KEPT_BUFFER: usize = 4 << 20;

/// One lane's writing end.
pub(crate) struct Outbound {
    lane_id: LaneId,
    lane: Lane,
    state: Mutex<State>,
    /// Signalled when a message in fragments is through.
    turn: Condvar,
    /// Largest message in bytes.
    maximum: usize,
    /// Most bytes in the private queue.
    queue_maximum: usize,
    /// Whether the queue has anything, for a look without the lock.
    queue_busy: AtomicU32,
}

struct State {
    producer: Producer,
    /// A message is on its way in fragments: nobody else may write to the lane.
    streaming: bool,
    /// Encodings of messages that did not fit at once.
    scratch: Vec<u8>,
    queue: VecDeque<Queued>,
    /// Bytes in `queue`.
    queued: usize,
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
            state: Mutex::new(State {
                producer,
                streaming: false,
                scratch: Vec::new(),
                queue: VecDeque::new(),
                queued: 0,
                queued_ends: Vec::new(),
                armed: false,
                missed: 0,
            }),
            turn: Condvar::new(),
            maximum,
            queue_maximum,
            queue_busy: AtomicU32::new(0),
        }
    }

    /// Sends one message, waiting for room up to the deadline.
    pub(crate) fn send_blocking<T: Serialize + ?Sized>(
        &self,
        link: &Link,
        label: Label,
        value: &T,
        deadline: &mut Deadline,
        tell: Tell,
    ) -> Result<u64, SendError> {
        let mut state = self.my_turn(link, deadline)?;
        let encoded = state.producer.encode(label, value);
        let wanted = encoded.is_ok() && tell == Tell::Now && state.producer.consumer_waits();
        state.producer.clear_ahead();
        let largest_payload = state.producer.largest_payload();
        // Others may send while a message that did not fit is encoded again.
        let scratch = encoded.is_err().then(|| std::mem::take(&mut state.scratch));
        drop(state);
        if wanted {
            link.ring_for_data(self.lane_id);
        }
        match encoded {
            Ok(end) => return Ok(end),
            Err(Refused::NoRoom) => {}
            Err(other) => return Err(refused(link, other)),
        }
        // Encoding a large message takes its time, and that counts.
        deadline.left();
        let mut bytes = scratch.unwrap_or_default();
        bytes.clear();
        let sent = match codec::encode_to_vec(value, &mut bytes, self.maximum) {
            Err(error) => Err(too_large_or(error, self.maximum)),
            Ok(()) if bytes.len() <= largest_payload => {
                self.write_blocking(link, label, &bytes, deadline)
            }
            Ok(()) => self.stream_blocking(link, label, &bytes, deadline),
        };
        bytes.clear();
        bytes.shrink_to(KEPT_BUFFER);
        self.lock().scratch = bytes;
        sent
    }

    /// Wakes the consumer if it sleeps, for messages of which it was not told.
    pub(crate) fn tell(&self, link: &Link) {
        self.notify(link, &self.lock());
    }

    /// Whatever panicked while it held the lock was the user's `Serialize`, and nothing is published
    /// before that is done: the state is whole.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no message is on its way in fragments.
    #[inline]
    fn my_turn(
        &self,
        link: &Link,
        deadline: &mut Deadline,
    ) -> Result<MutexGuard<'_, State>, SendError> {
        let mut state = self.lock();
        while state.streaming {
            // Ending a link takes this lock, so the question how it stands is asked without it.
            drop(state);
            let left = self.time_left(link, deadline)?;
            state = self.lock();
            if state.streaming {
                let waited = self.turn.wait_timeout(state, left.min(WAITING_SLICE));
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        Ok(state)
    }

    fn write_blocking(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
        deadline: &mut Deadline,
    ) -> Result<u64, SendError> {
        loop {
            let mut state = self.my_turn(link, deadline)?;
            let written = state.producer.write(label, [bytes, &[]]);
            let seen_head = state.producer.seen_head();
            self.notify(link, &state);
            drop(state);
            match written {
                Ok(end) => return Ok(end),
                Err(Refused::NoRoom) => self.wait_for_room(link, seen_head, deadline)?,
                Err(other) => return Err(refused(link, other)),
            }
        }
    }

    fn stream_blocking(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
        deadline: &mut Deadline,
    ) -> Result<u64, SendError> {
        let mut rest = Fragments::new(label, bytes.len());
        self.my_turn(link, deadline)?.streaming = true;
        let ended = loop {
            let mut state = self.lock();
            let written = rest.write_one(&mut state.producer, bytes);
            let seen_head = state.producer.seen_head();
            self.notify(link, &state);
            drop(state);
            match written {
                Ok(end) if rest.is_done() => break Ok(end),
                Ok(_) => {}
                Err(Refused::NoRoom) => {
                    if let Err(error) = self.wait_for_room(link, seen_head, deadline) {
                        break Err(error);
                    }
                }
                Err(other) => break Err(refused(link, other)),
            }
        };
        self.lock().streaming = false;
        self.turn.notify_all();
        ended
    }

    #[inline]
    fn notify(&self, link: &Link, state: &State) {
        if state.producer.consumer_waits() {
            link.ring_for_data(self.lane_id);
        }
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
            if !broken(Fault::RoomAnnouncedLate) {
                Producer::announce_wait(&self.lane);
            }
            let found = moved();
            if broken(Fault::RoomAnnouncedLate) {
                Producer::announce_wait(&self.lane);
            }
            if found.is_none() && bell.sleep(token, left.min(WAITING_SLICE)) {
                // What it finds is told by the next look at the time that is left.
                drop(link.ended_after_a_wait());
            }
            Producer::withdraw_wait(&self.lane);
            // An event wakes one sleeper; it wakes the next.
            let others = self.lane.control().producer_waits.load(Ordering::Relaxed) > 0;
            if others && moved().is_some() {
                bell.ring();
            }
        }
    }
}

/// A message's way through the ring in fragments.
#[derive(Debug)]
struct Fragments {
    label: Label,
    length: usize,
    /// Payload bytes written so far; `None` before the first fragment.
    written: Option<usize>,
}

impl Fragments {
    fn new(label: Label, length: usize) -> Self {
        Self { label, length, written: None }
    }

    fn is_done(&self) -> bool {
        self.written == Some(self.length)
    }

    fn has_begun(&self) -> bool {
        self.written.is_some()
    }

    /// Writes as much as makes a sensible frame just now.
    fn write_one(&mut self, producer: &mut Producer, bytes: &[u8]) -> Result<u64, Refused> {
        let room = producer.room_for_payload()?;
        let capacity = producer.lane().capacity() as usize;
        let from = self.written.unwrap_or(0);
        let prefix = (self.length as u64).to_le_bytes();
        let prefix: &[u8] = if self.has_begun() { &[] } else { &prefix };
        // A quarter of the ring at most, so that the consumer copies while the next is written; an
        // eighth at least, so that a slow consumer does not make us send crumbs.
        let left = self.length - from + prefix.len();
        let size = left.min(room).min(capacity / 4);
        if size < left.min(capacity / 8) {
            return Err(Refused::NoRoom);
        }
        let to = from + size - prefix.len();
        let flags = FragmentFlags {
            first: !self.has_begun(),
            last: to == self.length,
            kind: self.label.kind,
        };
        let label =
            Label { kind: Kind::Fragment, flags: flags.to_u8(), call_id: self.label.call_id };
        let end = producer.write(label, [prefix, &bytes[from..to]])?;
        self.written = Some(to);
        Ok(end)
    }
}

const _: () = assert!(LENGTH_PREFIX == size_of::<u64>());

fn too_large_or(error: TooLargeOr, maximum: usize) -> SendError {
    match error {
        TooLargeOr::TooLarge { length } => SendError::TooLarge { length, maximum },
        TooLargeOr::Value(error) => SendError::Encode(error),
    }
}

/// A refusal other than for want of room.
fn refused(link: &Link, refused: Refused) -> SendError {
    match refused {
        Refused::Encode(error) => SendError::Encode(error),
        Refused::Violation(violation) => link.send_error(link.accuse(&violation)),
        Refused::NoRoom => SendError::Overflow { pid: link.peer().pid, queued: 0 },
    }
}
