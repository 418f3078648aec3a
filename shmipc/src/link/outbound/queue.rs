//! The queueing mode: what a listener sends, and what other threads send over the same lanes.

use serde::Serialize;

use super::encoding::{Encoded, SendMode};
use super::fragments::Fragments;
use super::turn::{FAVOUR, Flushed, Turn};
use super::{Outbound, Sent, State, Tell, WhenFull, refused};
use crate::error::SendError;
use crate::link::Link;
use crate::ring::frame::Kind;
use crate::ring::{Label, Producer, Refused, SMALL_FRAME, SmallFrame};
use crate::sync::{MutexGuard, Ordering};

/// Most payload bytes of a frame that leaves a queue: a listener may write it, for whom others
/// wait.
const QUEUED_PAYLOAD: usize = 64 << 10;

/// A message that waits for room.
pub(super) struct Queued {
    bytes: Vec<u8>,
    fragments: Fragments,
    /// Whether its caller still waits, and so for where it ends in the ring.
    is_waited_for: bool,
}

impl Queued {
    /// Bytes that it takes while it waits, its place in the queue and the allocator's share
    /// included: a queue of empty messages is not an empty queue.
    fn weight(&self) -> usize {
        self.bytes.capacity() + OVERHEAD
    }

    fn is_request(&self, call_id: u32) -> bool {
        let label = self.fragments.label;
        label.kind == Kind::Request && label.call_id == call_id
    }

    /// Its call, if its caller waits for where it ends.
    fn waited_for(&self) -> Option<u32> {
        let label = self.fragments.label;
        (label.kind == Kind::Request && self.is_waited_for).then_some(label.call_id)
    }

    pub(super) fn write_some(&mut self, producer: &mut Producer) -> Result<Option<u64>, Refused> {
        self.fragments.write_some(producer, &self.bytes)
    }
}

/// A queue's places may be half unused; an allocation costs some words more than it gives.
const OVERHEAD: usize = 2 * size_of::<Queued>() + 32;

impl Outbound {
    /// Sends one message without ever waiting.
    #[inline]
    pub(crate) fn send_queueing<T: Serialize + ?Sized>(
        &self,
        link: &Link,
        label: Label,
        value: &T,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        let mut small = SmallFrame::new();
        match self.encode(link, value, &mut small, SendMode::Queueing(when_full)) {
            None => match self.send_small(link, label, &mut small, Tell::Now) {
                Some(end) => Ok(Sent::At(end)),
                None => self.queue_copy(link, label, small.payload(), when_full),
            },
            Some(encoded) => self.queue_large(link, label, encoded, when_full),
        }
    }

    #[inline(never)]
    fn queue_large(
        &self,
        link: &Link,
        label: Label,
        encoded: Result<Encoded<'_>, SendError>,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        match encoded? {
            Encoded::InPlace(turn, frame) => turn.finish(frame, label).map(Sent::At),
            Encoded::Spilled(bytes) => self.queue(link, label, bytes, when_full),
        }
    }

    /// The same for a message that is encoded already.
    pub(crate) fn send_bytes(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        let maximum = self.maximum;
        let is_users = matches!(label.kind, Kind::Notice | Kind::Request | Kind::Reply);
        if is_users && bytes.len() > maximum {
            return Err(SendError::TooLarge { length: bytes.len(), maximum });
        }
        match self.send_bytes_now(link, label, bytes)? {
            Some(end) => Ok(Sent::At(end)),
            None => self.queue_copy(link, label, bytes, when_full),
        }
    }

    /// Puts a message into the ring, if nobody is before it and there is room.
    fn send_bytes_now(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
    ) -> Result<Option<u64>, SendError> {
        let mut state = self.lock();
        if !state.is_free() {
            return Ok(None);
        }
        let (written, turn) = if bytes.len() <= SMALL_FRAME {
            let Some(producer) = &mut state.producer else { return Ok(None) };
            let written = producer.write(label, [bytes, &[]]);
            producer.clear_ahead();
            drop(state);
            (written, None)
        } else {
            // Not under the lock.
            let Some(producer) = state.producer.take() else { return Ok(None) };
            drop(state);
            let mut turn = Turn::new(self, link, producer);
            (turn.with(|producer| producer.write(label, [bytes, &[]])), Some(turn))
        };
        let written = match written {
            Ok(end) => {
                self.notify(link);
                Ok(Some(end))
            }
            Err(Refused::NoRoom) => Ok(None),
            Err(other) => Err(refused(link, other)),
        };
        drop(turn);
        written
    }

    /// Has a copy of a message wait for room.
    #[cold]
    fn queue_copy(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        let state = self.lock();
        if when_full != WhenFull::Queue && state.is_too_full(self, bytes.len()) {
            return Err(self.refuse(link, state, when_full));
        }
        drop(state);
        self.queue(link, label, bytes.to_vec(), when_full)
    }

    /// Has a message wait for room, and sends what there is room for.
    #[cold]
    fn queue(
        &self,
        link: &Link,
        label: Label,
        mut bytes: Vec<u8>,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        // Nobody will read it, and nothing would bound how much of it there is.
        if let Some(departure) = link.ended() {
            return Err(link.send_error(departure));
        }
        if bytes.capacity() > 2 * bytes.len() + OVERHEAD {
            // What waits counts with all that it keeps: much room for little is kept for the next.
            let exact = bytes.as_slice().into();
            self.keep_scratch(std::mem::replace(&mut bytes, exact));
        }
        let most = self.largest_payload.min(QUEUED_PAYLOAD);
        let fragments = Fragments::new(label, bytes.len(), most);
        let queued = Queued { bytes, fragments, is_waited_for: true };
        let mut state = self.lock();
        if when_full != WhenFull::Queue && state.is_too_full(self, queued.bytes.capacity()) {
            return Err(self.refuse(link, state, when_full));
        }
        state.queue_gap();
        let weight = queued.weight();
        state.queued += weight;
        state.queue.push_back(queued);
        let Some(producer) = state.producer.take() else {
            // Whoever has the turn sends it before it ends.
            return Ok(Sent::Queued);
        };
        drop(state);
        let flushed = self.give_back(link, producer, FAVOUR.max(2 * weight as u64));
        if matches!(flushed, Ok(Flushed::Partly)) {
            // The peer was not asked to ring for room, and the listener may have found the turn
            // taken.
            link.wake_listener();
        }
        match self.lock().take_queued_end(label.call_id) {
            Some(end) => Ok(Sent::At(end)),
            None => flushed.map(|_| Sent::Queued),
        }
    }

    /// Refuses a message for which the queue is too full.
    #[cold]
    pub(super) fn refuse(
        &self,
        link: &Link,
        mut state: MutexGuard<'_, State>,
        when_full: WhenFull,
    ) -> SendError {
        let queued = state.queued;
        if let Some(departure) = link.ended() {
            return link.send_error(departure);
        }
        if when_full == WhenFull::Count {
            state.missed += 1;
        }
        drop(state);
        self.let_others();
        SendError::Overflow { pid: link.peer().pid, queued }
    }

    /// Does so much wait here that no more should be made? Then the listener takes no more requests
    /// from this peer, and the peer's own ring fills up.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.queue_busy.load(Ordering::Relaxed) != 0 && self.lock().queued > self.queue_maximum
    }

    /// Writes a goodbye if there is room for it right now.
    pub(crate) fn say_goodbye(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
    ) -> Result<u64, Refused> {
        let mut state = self.lock();
        if !state.queue.is_empty() {
            return Err(Refused::NoRoom);
        }
        let Some(producer) = &mut state.producer else { return Err(Refused::NoRoom) };
        let end = producer.write(label, [bytes, &[]])?;
        drop(state);
        self.notify(link);
        Ok(end)
    }

    /// Takes a request back that has not begun to leave the queue; `true`: it never will run. If it
    /// has begun, its end is of no interest any more.
    pub(crate) fn recall(&self, call_id: u32) -> bool {
        let mut state = self.lock();
        state.leaving = state.leaving.filter(|leaving| *leaving != call_id);
        let mut requests = state.queue.iter_mut().enumerate();
        let Some((index, queued)) = requests.find(|(_, queued)| queued.is_request(call_id)) else {
            return false;
        };
        if queued.fragments.has_begun() {
            queued.is_waited_for = false;
            return false;
        }
        if let Some(queued) = state.queue.remove(index) {
            state.queued -= queued.weight();
        }
        true
    }

    /// Where a request that went through the queue ended in the ring. Forgets it.
    pub(crate) fn take_queued_end(&self, call_id: u32) -> Option<u64> {
        self.lock().take_queued_end(call_id)
    }
}

impl State {
    /// Is there too little room in the queue for a message of so many bytes? One always fits into
    /// an empty queue, however large.
    pub(super) fn is_too_full(&self, outbound: &Outbound, bytes: usize) -> bool {
        self.queued > 0 && self.queued + bytes + OVERHEAD > outbound.queue_maximum
    }

    /// Tells the peer, in its place, how many messages it missed.
    fn queue_gap(&mut self) {
        if self.missed == 0 {
            return;
        }
        let bytes = std::mem::take(&mut self.missed).to_le_bytes().to_vec();
        let fragments = Fragments::new(Label::new(Kind::Gap, 0), bytes.len(), usize::MAX);
        let gap = Queued { bytes, fragments, is_waited_for: false };
        self.queued += gap.weight();
        self.queue.push_back(gap);
    }

    /// What leaves the queue next, for who has the turn. Counts as queued until it
    /// [has left](Self::has_left) or was [put back](Self::put_back).
    pub(super) fn next_queued(&mut self) -> Option<Queued> {
        if self.queue.is_empty() {
            self.queue_gap();
        }
        let queued = self.queue.pop_front()?;
        self.leaving = queued.waited_for();
        Some(queued)
    }

    /// It has left only in part, or not at all.
    pub(super) fn put_back(&mut self, mut queued: Queued) {
        queued.is_waited_for = self.leaving.take().is_some();
        self.queue.push_front(queued);
    }

    /// It ends there in the ring.
    pub(super) fn has_left(&mut self, queued: Queued, end: u64) {
        if let Some(call_id) = self.leaving.take() {
            self.queued_ends.push((call_id, end));
        }
        self.queued -= queued.weight();
        self.keep(queued.bytes);
    }

    fn take_queued_end(&mut self, call_id: u32) -> Option<u64> {
        let index = self.queued_ends.iter().position(|(id, _)| *id == call_id)?;
        Some(self.queued_ends.swap_remove(index).1)
    }
}
