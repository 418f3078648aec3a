//! Whose turn it is to write to a lane. Whoever has the turn has the lane's producer, outside of
//! the lock: it may run the user's `Serialize`, copy many bytes, and wait for room, and nobody
//! waits for the lock meanwhile. Who may wait, waits in line for the turn, up to its deadline; who
//! may not, queues its message, and the turn does not end before what was queued is on its way or
//! waits for room.
//!
//! The producer stands in the state while nobody has it. So "is it free" and "does anything wait"
//! are answered under one lock, and no message is left behind: whoever puts the producer back has
//! looked at the queue under that same lock.

use std::collections::VecDeque;

use super::fragments::Fragments;
use super::{Outbound, State, refused};
use crate::error::SendError;
use crate::link::Link;
use crate::os::wait::{Deadline, WAITING_SLICE};
use crate::ring::{InPlace, Label, Producer, Refused, has_news};
use crate::sync::{self, Fault, Ordering, Thread, broken};

/// Bytes of others' messages that a sender writes for them before it goes its own way.
pub(super) const FAVOUR: u64 = 1 << 20;
/// Bytes that a listener writes for one link before it looks at the others.
const MORSEL: u64 = 64 << 10;

/// What became of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// It is empty, or another thread sees to it.
    All,
    /// It waits for room, of which the peer tells this side's listener.
    Blocked,
    /// There is more, and room for it; it is left to whoever comes next.
    Partly,
}

/// The lane's producer in the hands of one thread.
pub(super) struct Turn<'a> {
    outbound: &'a Outbound,
    link: &'a Link,
    /// `None` once it was put back.
    producer: Option<Box<Producer>>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(outbound: &'a Outbound, link: &'a Link, producer: Box<Producer>) -> Self {
        Self { outbound, link, producer: Some(producer) }
    }

    /// Has the producer do something, which is there until the turn is dropped.
    pub(super) fn with<R>(
        &mut self,
        act: impl FnOnce(&mut Producer) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.producer.as_deref_mut().map_or(Err(Refused::NoRoom), act)
    }

    /// As [`Producer::begin`].
    pub(super) fn begin(&mut self, least: usize) -> Result<Option<InPlace>, SendError> {
        self.with(|producer| producer.begin(least)).map_err(|trouble| refused(self.link, trouble))
    }

    /// As [`Producer::extend`].
    pub(super) fn extend(&mut self, frame: &mut InPlace, more: usize) -> Result<bool, SendError> {
        let extended = self.with(|producer| producer.extend(frame, more));
        extended.map_err(|trouble| refused(self.link, trouble))
    }

    /// Publishes what was made in the ring and ends the turn. Gives where it ends in the ring.
    pub(super) fn finish(mut self, frame: InPlace, label: Label) -> Result<u64, SendError> {
        let end = self.with(|producer| Ok(producer.finish(frame, label)));
        self.outbound.notify(self.link);
        end.map_err(|trouble| refused(self.link, trouble))
    }

    /// Writes as much of a message as there is room for. Gives its end once it is whole, or else
    /// what was seen of the consumer, for [`Outbound::wait_for_room`].
    pub(super) fn write(
        &mut self,
        fragments: &mut Fragments,
        bytes: &[u8],
    ) -> Result<Result<u64, u64>, SendError> {
        let written = loop {
            let written = self.with(|producer| fragments.write_some(producer, bytes));
            match written {
                Ok(None) => self.outbound.notify(self.link),
                Ok(Some(end)) => break Ok(Ok(end)),
                Err(Refused::NoRoom) => break self.with(|producer| Ok(Err(producer.seen_head()))),
                Err(other) => break Err(other),
            }
        };
        self.outbound.notify(self.link);
        written.map_err(|trouble| refused(self.link, trouble))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // A forked child that comes out of the user's `Serialize`: a thread that stayed behind may
        // have held the lock.
        if self.link.is_inherited() {
            std::mem::forget(self.producer.take());
            return;
        }
        if let Some(producer) = self.producer.take() {
            self.outbound.give_back_and_ask(self.link, producer, FAVOUR);
        }
    }
}

/// Threads that wait for their turn, in the order in which they came.
#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<(u64, Thread)>,
    last_ticket: u64,
    /// The first was woken in vain, as another came just before it: the next turn is its.
    pub(super) is_due: bool,
}

impl Line {
    fn join(&mut self) -> u64 {
        self.last_ticket += 1;
        self.waiting.push_back((self.last_ticket, sync::current()));
        self.last_ticket
    }

    fn is_first(&self, ticket: Option<u64>) -> bool {
        match (self.waiting.front(), ticket) {
            (Some((first, _)), Some(own)) => *first == own,
            // Nobody who only just comes goes before one who was woken in vain.
            (_, None) => !self.is_due,
            (None, Some(_)) => true,
        }
    }

    fn leave(&mut self, ticket: u64) {
        if self.is_first(Some(ticket)) {
            self.is_due = false;
        }
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
    }

    fn first(&self) -> Option<Thread> {
        self.waiting.front().map(|(_, thread)| thread.clone())
    }
}

/// A place in the line.
struct InLine<'a> {
    outbound: &'a Outbound,
    ticket: Option<u64>,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.outbound.lock();
        state.line.leave(ticket);
        // Who was woken and leaves wakes the next.
        let next = state.producer.is_some().then(|| state.line.first()).flatten();
        drop(state);
        if let Some(thread) = next {
            thread.unpark();
        }
    }
}

impl Outbound {
    /// Waits for the turn, up to the deadline, and until nothing is queued that came before.
    pub(super) fn wait_for_turn<'a>(
        &'a self,
        link: &'a Link,
        deadline: &mut Deadline,
    ) -> Result<Turn<'a>, SendError> {
        let mut place = InLine { outbound: self, ticket: None };
        loop {
            let mut state = self.lock();
            if state.line.is_first(place.ticket)
                && let Some(producer) = state.producer.take()
            {
                if state.queue.is_empty() && state.missed == 0 {
                    if let Some(ticket) = place.ticket.take() {
                        state.line.leave(ticket);
                    }
                    return Ok(Turn::new(self, link, producer));
                }
                drop(state);
                let seen_head = producer.seen_head();
                if self.give_back(link, producer, FAVOUR)? == Flushed::Blocked {
                    self.wait_for_room(link, seen_head, deadline)?;
                }
                continue;
            }
            match place.ticket {
                None => place.ticket = Some(state.line.join()),
                Some(_) if state.line.is_first(place.ticket) => state.line.is_due = true,
                Some(_) => {}
            }
            drop(state);
            // Ending a link takes the lock, so the question how it stands is asked without it.
            let left = self.time_left(link, deadline)?;
            sync::park_timeout(left.min(WAITING_SLICE));
        }
    }

    /// Ends a turn: writes what is queued, as far as there is room, and puts the producer back.
    /// After `most` bytes it leaves the rest to others.
    pub(super) fn give_back(
        &self,
        link: &Link,
        mut producer: Box<Producer>,
        most: u64,
    ) -> Result<Flushed, SendError> {
        let begun = producer.position();
        let flushed = loop {
            let mut state = self.lock();
            let enough = producer.position() - begun >= most;
            let Some(mut queued) = state.next_queued().filter(|_| !broken(Fault::QueueUnlooked))
            else {
                self.put_back(state, producer, Flushed::All);
                break Ok(Flushed::All);
            };
            if enough {
                state.put_back(queued);
                self.put_back(state, producer, Flushed::Partly);
                break Ok(Flushed::Partly);
            }
            drop(state);
            let before = producer.position();
            let written = queued.write_some(&mut producer);
            let seen_head = producer.seen_head();
            if producer.position() != before {
                // The peer takes it while the next is written.
                self.notify(link);
            }
            let mut state = self.lock();
            match written {
                Ok(Some(end)) => state.has_left(queued, end),
                Ok(None) => state.put_back(queued),
                Err(Refused::NoRoom) => {
                    state.put_back(queued);
                    if !state.armed {
                        state.armed = true;
                        // First, so that whoever is woken by the announcement finds it.
                        self.queue_busy.store(1, Ordering::Relaxed);
                        if !broken(Fault::QueueAnnouncedLate) {
                            Producer::announce_wait(&self.lane);
                            // Room that came just before the announcement rings no bell.
                            continue;
                        }
                    }
                    // Nor does whoever was told of it find more than that another has the turn.
                    let blind = broken(Fault::QueueAnnouncedLate) || broken(Fault::RoomUnlooked);
                    if has_news(&self.lane, seen_head) && !blind {
                        continue;
                    }
                    self.put_back(state, producer, Flushed::Blocked);
                    if broken(Fault::QueueAnnouncedLate) {
                        Producer::announce_wait(&self.lane);
                    }
                    break Ok(Flushed::Blocked);
                }
                // The link ends; its queue goes with it.
                Err(other) => {
                    state.queue.clear();
                    (state.queued, state.leaving) = (0, None);
                    self.put_back(state, producer, Flushed::All);
                    break Err(other);
                }
            }
        };
        flushed.map_err(|trouble| refused(link, trouble))
    }

    fn put_back(
        &self,
        mut state: sync::MutexGuard<'_, State>,
        mut producer: Box<Producer>,
        flushed: Flushed,
    ) {
        if flushed != Flushed::Blocked && state.armed {
            state.armed = false;
            Producer::withdraw_wait(&self.lane);
        }
        self.queue_busy.store(u32::from(flushed != Flushed::All), Ordering::Relaxed);
        producer.clear_ahead();
        self.next_is_at(producer.position());
        state.producer = Some(producer);
        let next = state.line.first().filter(|_| !broken(Fault::TurnUntold));
        drop(state);
        if let Some(thread) = next {
            thread.unpark();
        }
    }

    /// The same by who goes its own way then: what is left is this side's listener's.
    pub(super) fn give_back_and_ask(&self, link: &Link, producer: Box<Producer>, most: u64) {
        // An error ended the link, which is what whoever sends next is told.
        if self.give_back(link, producer, most).is_ok_and(|flushed| flushed == Flushed::Partly) {
            link.wake_listener();
        }
    }

    /// Writes some of the queue into the ring, as far as there is room and it is nobody else's
    /// turn. For listeners: never waits, and does not take long.
    #[inline]
    pub(crate) fn flush(&self, link: &Link) -> Flushed {
        match self.queue_busy.load(Ordering::Relaxed) {
            0 => Flushed::All,
            _ => self.flush_some(link),
        }
    }

    fn flush_some(&self, link: &Link) -> Flushed {
        // A thread that sends without pause must not keep a listener from all others.
        let Some(mut state) = self.try_lock().or_else(|| self.lock_after_tries()) else {
            return Flushed::Partly;
        };
        let Some(producer) = state.producer.take() else { return Flushed::All };
        drop(state);
        // An error ended the link, which is what whoever flushes looks at.
        self.give_back(link, producer, MORSEL).unwrap_or(Flushed::All)
    }
}
