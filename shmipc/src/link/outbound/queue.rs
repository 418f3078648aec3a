//! The queueing manner: what a listener sends, and what other threads send over the same lanes.

use serde::Serialize;

use super::{Fragments, Outbound, Sent, State, refused, too_large_or};
use crate::codec;
use crate::error::SendError;
use crate::frame::Kind;
use crate::link::Link;
use crate::ring::{Label, Producer, Refused};
use crate::sync::Ordering;

/// A message that waits for room.
pub(super) struct Queued {
    label: Label,
    bytes: Vec<u8>,
    fragments: Fragments,
}

impl Queued {
    fn new(label: Label, bytes: Vec<u8>) -> Self {
        Self { label, fragments: Fragments::new(label, bytes.len()), bytes }
    }
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

impl Outbound {
    /// Sends one message without ever waiting.
    pub(crate) fn send_queueing<T: Serialize + ?Sized>(
        &self,
        link: &Link,
        label: Label,
        value: &T,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        let mut state = self.lock();
        if state.queue.is_empty() && state.missed == 0 {
            match state.producer.encode(label, value) {
                Ok(end) => {
                    self.notify(link, &state);
                    return Ok(Sent::At(end));
                }
                Err(Refused::NoRoom) => {}
                Err(other) => return Err(refused(link, other)),
            }
        }
        let mut bytes = Vec::new();
        codec::encode_to_vec(value, &mut bytes, self.maximum)
            .map_err(|error| too_large_or(error, self.maximum))?;
        self.queue(link, &mut state, label, bytes, when_full)
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
        let mut state = self.lock();
        if state.queue.is_empty() && state.missed == 0 {
            match state.producer.write(label, [bytes, &[]]) {
                Ok(end) => {
                    self.notify(link, &state);
                    return Ok(Sent::At(end));
                }
                Err(Refused::NoRoom) => {}
                Err(other) => return Err(refused(link, other)),
            }
        }
        self.queue(link, &mut state, label, bytes.to_vec(), when_full)
    }

    fn queue(
        &self,
        link: &Link,
        state: &mut State,
        label: Label,
        bytes: Vec<u8>,
        when_full: WhenFull,
    ) -> Result<Sent, SendError> {
        // One message always fits into an empty queue, however large.
        let full = state.queued > 0 && state.queued + bytes.len() > self.queue_maximum;
        if full && when_full != WhenFull::Queue {
            if when_full == WhenFull::Count {
                state.missed += 1;
            }
            return Err(SendError::Overflow { pid: link.peer().pid, queued: state.queued });
        }
        if state.missed > 0 {
            let gap = gap(&mut state.missed);
            state.queued += gap.bytes.len();
            state.queue.push_back(gap);
        }
        state.queued += bytes.len();
        state.queue.push_back(Queued::new(label, bytes));
        self.flush_locked(link, state);
        match state.queued_ends.iter().find(|(id, _)| *id == label.call_id && *id != 0) {
            Some((_, end)) => Ok(Sent::At(*end)),
            None => Ok(Sent::Queued),
        }
    }

    /// Writes as much of the queue into the ring as fits. Never waits.
    pub(crate) fn flush(&self, link: &Link) {
        if self.queue_busy.load(Ordering::Relaxed) != 0 {
            self.flush_locked(link, &mut self.lock());
        }
    }

    /// Does so much wait here that no more should be made? Then the listener takes no more requests
    /// from this peer, and the peer's own ring fills up.
    pub(crate) fn is_congested(&self) -> bool {
        self.queue_busy.load(Ordering::Relaxed) != 0 && self.lock().queued > self.queue_maximum
    }

    /// Is the queue empty, as far as can be told without the lock?
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

    /// Takes a request back that has not begun to leave the queue; `true`: it never will run.
    pub(crate) fn recall(&self, call_id: u32) -> bool {
        let mut state = self.lock();
        let waiting = state.queue.iter().position(|queued| {
            queued.label.call_id == call_id
                && queued.label.kind == Kind::Request
                && !queued.fragments.has_begun()
        });
        match waiting.and_then(|index| state.queue.remove(index)) {
            Some(queued) => {
                state.queued -= queued.bytes.len();
                true
            }
            None => false,
        }
    }

    /// Where a request that went through the queue ended in the ring. Forgets it.
    pub(crate) fn take_queued_end(&self, call_id: u32) -> Option<u64> {
        let mut state = self.lock();
        let index = state.queued_ends.iter().position(|(id, _)| *id == call_id)?;
        Some(state.queued_ends.swap_remove(index).1)
    }

    /// Has the peer taken everything up to `end`?
    pub(crate) fn was_taken(&self, end: u64) -> bool {
        self.lock().producer.was_taken(end)
    }

    fn flush_locked(&self, link: &Link, state: &mut State) {
        let before = state.producer.position();
        let mut blocked = self.write_queue(link, state);
        if blocked && !state.armed {
            state.armed = true;
            Producer::announce_wait(&self.lane);
            // Room that came just before the announcement rings no bell.
            blocked = self.write_queue(link, state);
        }
        if !blocked && state.armed {
            state.armed = false;
            Producer::withdraw_wait(&self.lane);
        }
        self.queue_busy.store(u32::from(blocked), Ordering::Relaxed);
        if state.producer.position() != before {
            self.notify(link, state);
        }
    }

    /// `true`: something is left, for want of room.
    fn write_queue(&self, link: &Link, state: &mut State) -> bool {
        loop {
            let Some(front) = state.queue.front_mut() else {
                if state.missed == 0 {
                    return false;
                }
                let gap = gap(&mut state.missed);
                state.queued += gap.bytes.len();
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
                    if front.label.kind == Kind::Request {
                        state.queued_ends.push((front.label.call_id, end));
                    }
                    state.queued -= front.bytes.len();
                    state.queue.pop_front();
                }
                Err(Refused::NoRoom) => return true,
                // The link ends; its queue goes with it.
                Err(other) => {
                    refused(link, other);
                    state.queue.clear();
                    state.queued = 0;
                    return false;
                }
            }
        }
    }
}

const GAP_LENGTH: usize = 8;

fn gap(missed: &mut u64) -> Queued {
    let count = std::mem::take(missed);
    Queued::new(Label::new(Kind::Gap, 0), count.to_le_bytes().to_vec())
}
