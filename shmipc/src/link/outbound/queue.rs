//! The queueing manner: what a listener sends, and what other threads send over the same lanes.

use serde::Serialize;

use super::{Fragments, KEPT_BUFFER, Outbound, Sent, State, refused, too_large_or};
use crate::codec;
use crate::error::SendError;
use crate::frame::Kind;
use crate::link::Link;
use crate::ring::{Label, Producer, Refused};
use crate::sync::{Fault, Ordering, broken};

/// A message that waits for room.
pub(super) struct Queued {
    label: Label,
    bytes: Vec<u8>,
    fragments: Fragments,
    /// Whether its caller still waits, and so for where it ends in the ring.
    is_waited_for: bool,
}

impl Queued {
    fn new(label: Label, bytes: Vec<u8>) -> Self {
        let fragments = Fragments::new(label, bytes.len());
        Self { label, fragments, bytes, is_waited_for: true }
    }

    /// Bytes that it takes while it waits, its place in the queue and the allocator's share included:
    /// a queue of empty messages is not an empty queue.
    fn weight(&self) -> usize {
        self.bytes.capacity() + OVERHEAD
    }

    fn is_request(&self, call_id: u32) -> bool {
        self.label.kind == Kind::Request && self.label.call_id == call_id
    }
}

/// A queue's places may be half unused; an allocation costs some words more than it gives.
const OVERHEAD: usize = 2 * size_of::<Queued>() + 32;

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

/// Why something was not queued or not flushed; turned into a [`SendError`] without the lock, which
/// ending a link takes.
enum Trouble {
    Send(SendError),
    Ring(Refused),
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Ring(refused)
    }
}

impl Trouble {
    fn into_error(self, link: &Link) -> SendError {
        match self {
            Self::Send(error) => error,
            Self::Ring(other) => refused(link, other),
        }
    }
}

impl Outbound {
    /// Sends one message without ever waiting.
    pub(crate) fn send_queueing<T: Serialize + ?Sized>(
        &self,
        link: &Link,
        label: Label,
        value: &T,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        let sent = self.send_locked(link, label, when_full, |producer, bytes| match bytes {
            None => producer.encode(label, value).map_err(Trouble::Ring),
            Some(bytes) => codec::encode_to_vec(value, bytes, self.maximum)
                .map(|()| 0)
                .map_err(|error| Trouble::Send(too_large_or(error, self.maximum))),
        });
        sent.map_err(|trouble| trouble.into_error(link))
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
        let sent = self.send_locked(link, label, when_full, |producer, copy| match copy {
            None => producer.write(label, [bytes, &[]]).map_err(Trouble::Ring),
            Some(copy) => {
                copy.extend_from_slice(bytes);
                Ok(0)
            }
        });
        sent.map_err(|trouble| trouble.into_error(link))
    }

    /// `write` writes straight into the ring, or into a buffer if it is given one.
    #[inline]
    fn send_locked(
        &self,
        link: &Link,
        label: Label,
        when_full: WhenFull,
        write: impl Fn(&mut Producer, Option<&mut Vec<u8>>) -> Result<u64, Trouble>,
    ) -> Result<Sent, Trouble> {
        let mut state = self.lock();
        if state.queue.is_empty() && state.missed == 0 {
            match write(&mut state.producer, None) {
                Ok(end) => {
                    self.notify(link, &state);
                    state.producer.clear_ahead();
                    return Ok(Sent::At(end));
                }
                Err(Trouble::Ring(Refused::NoRoom)) => {}
                Err(other) => return Err(other),
            }
        }
        // Nobody will read it, and nothing would bound how much of it there is.
        if let Some(departure) = link.ended() {
            return Err(Trouble::Send(link.send_error(departure)));
        }
        let mut bytes = std::mem::take(&mut state.scratch);
        bytes.clear();
        write(&mut state.producer, Some(&mut bytes))?;
        if bytes.capacity() > 2 * bytes.len() + OVERHEAD {
            // What waits counts with all that it keeps: much room for little is kept for the next.
            let exact = bytes.as_slice().into();
            state.scratch = std::mem::replace(&mut bytes, exact);
        }
        self.queue(link, &mut state, label, bytes, when_full)
    }

    fn queue(
        &self,
        link: &Link,
        state: &mut State,
        label: Label,
        bytes: Vec<u8>,
        when_full: WhenFull,
    ) -> Result<Sent, Trouble> {
        // One message always fits into an empty queue, however large.
        let weight = bytes.capacity() + OVERHEAD;
        let full = state.queued > 0 && state.queued + weight > self.queue_maximum;
        if full && when_full != WhenFull::Queue {
            if when_full == WhenFull::Count {
                state.missed += 1;
            }
            let (pid, queued) = (link.peer().pid, state.queued);
            return Err(Trouble::Send(SendError::Overflow { pid, queued }));
        }
        if state.missed > 0 {
            let gap = gap(&mut state.missed);
            state.queued += gap.weight();
            state.queue.push_back(gap);
        }
        let queued = Queued::new(label, bytes);
        state.queued += queued.weight();
        state.queue.push_back(queued);
        self.flush_locked(link, state)?;
        match state.take_queued_end(label.call_id) {
            Some(end) => Ok(Sent::At(end)),
            None => Ok(Sent::Queued),
        }
    }

    /// Writes as much of the queue into the ring as fits. Never waits.
    #[inline]
    pub(crate) fn flush(&self, link: &Link) {
        if self.queue_busy.load(Ordering::Relaxed) != 0 {
            let flushed = self.flush_locked(link, &mut self.lock());
            if let Err(trouble) = flushed {
                // It ended the link, which is what whoever flushes looks at.
                refused(link, trouble);
            }
        }
    }

    /// Does so much wait here that no more should be made? Then the listener takes no more requests
    /// from this peer, and the peer's own ring fills up.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.queue_busy.load(Ordering::Relaxed) != 0 && self.lock().queued > self.queue_maximum
    }

    /// Is the queue empty, as far as can be told without the lock?
    #[inline]
    pub(crate) fn queued_nothing(&self) -> bool {
        self.queue_busy.load(Ordering::Relaxed) == 0
    }

    /// Writes a goodbye if there is room for it right now.
    pub(crate) fn say_goodbye(
        &self,
        link: &Link,
        label: Label,
        bytes: &[u8],
    ) -> Result<u64, Refused> {
        let mut state = self.lock();
        if state.streaming || !state.queue.is_empty() {
            return Err(Refused::NoRoom);
        }
        let end = state.producer.write(label, [bytes, &[]])?;
        self.notify(link, &state);
        Ok(end)
    }

    /// Takes a request back that has not begun to leave the queue; `true`: it never will run. If it
    /// has begun, its end is of no interest any more.
    pub(crate) fn recall(&self, call_id: u32) -> bool {
        let mut state = self.lock();
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

    /// Has the peer taken everything up to `end`?
    pub(crate) fn was_taken(&self, end: u64) -> bool {
        self.lock().producer.was_taken(end)
    }

    fn flush_locked(&self, link: &Link, state: &mut State) -> Result<(), Refused> {
        let before = state.producer.position();
        let flushed = self.write_armed(state);
        if state.producer.position() != before {
            self.notify(link, state);
        }
        flushed
    }

    fn write_armed(&self, state: &mut State) -> Result<(), Refused> {
        let mut blocked = write_queue(state)?;
        if blocked && !state.armed {
            state.armed = true;
            // First, so that whoever is woken by the announcement finds it.
            self.queue_busy.store(1, Ordering::Relaxed);
            if !broken(Fault::QueueAnnouncedLate) {
                Producer::announce_wait(&self.lane);
            }
            // Room that came just before the announcement rings no bell.
            blocked = write_queue(state)?;
            if broken(Fault::QueueAnnouncedLate) {
                Producer::announce_wait(&self.lane);
            }
        }
        if !blocked && state.armed {
            state.armed = false;
            Producer::withdraw_wait(&self.lane);
        }
        self.queue_busy.store(u32::from(blocked), Ordering::Relaxed);
        Ok(())
    }
}

impl State {
    /// Keeps memory for the next message that does not fit at once.
    fn keep(&mut self, bytes: Vec<u8>) {
        if (self.scratch.capacity()..=KEPT_BUFFER).contains(&bytes.capacity()) {
            self.scratch = bytes;
        }
    }

    fn take_queued_end(&mut self, call_id: u32) -> Option<u64> {
        let index = self.queued_ends.iter().position(|(id, _)| *id == call_id)?;
        Some(self.queued_ends.swap_remove(index).1)
    }
}

/// `true`: something is left, for want of room.
fn write_queue(state: &mut State) -> Result<bool, Refused> {
    loop {
        let Some(front) = state.queue.front_mut() else {
            if state.missed == 0 {
                return Ok(false);
            }
            let gap = gap(&mut state.missed);
            state.queued += gap.weight();
            state.queue.push_back(gap);
            continue;
        };
        let producer = &mut state.producer;
        let whole = front.bytes.len() <= producer.largest_payload().max(GAP_LENGTH);
        let written = if whole {
            producer.write(front.label, [&front.bytes, &[]])
        } else {
            front.fragments.write_one(producer, &front.bytes)
        };
        match written {
            Ok(_) if !whole && !front.fragments.is_done() => {}
            Ok(end) => {
                if front.is_request(front.label.call_id) && front.is_waited_for {
                    state.queued_ends.push((front.label.call_id, end));
                }
                state.queued -= front.weight();
                if let Some(through) = state.queue.pop_front() {
                    state.keep(through.bytes);
                }
            }
            Err(Refused::NoRoom) => return Ok(true),
            // The link ends; its queue goes with it.
            Err(other) => {
                state.queue.clear();
                state.queued = 0;
                return Err(other);
            }
        }
    }
}

const GAP_LENGTH: usize = 8;

fn gap(missed: &mut u64) -> Queued {
    let count = std::mem::take(missed);
    Queued::new(Label::new(Kind::Gap, 0), count.to_le_bytes().to_vec())
}
