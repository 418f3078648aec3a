//! Calls that wait for their replies. The caller takes its reply out of the lane itself; where
//! several threads wait, one leads: it takes what comes, gives the others theirs, and hands the
//! lane on when it has its own. The others sleep.
//!
//! The lane's reader stands in the table while nobody leads. So "is there a leader" and "is my reply
//! there" are answered under one lock, and no hand-on is missed: a leader that leaves puts the reader
//! back and wakes a waiting caller under the same lock under which that caller went to wait.

mod table;

use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use super::Link;
use super::inbound::{Inbound, LOOK_BYTES, Received};
use crate::error::Departure;
use crate::link::control::Failure;
use crate::os::wait::{self, Deadline, WAITING_SLICE};
use crate::ring::Violation;
use crate::ring::frame::Kind;
use crate::segment::doorbell::{Bell, Slept};
use crate::sync::{self, Fault, Mutex, MutexGuard, broken};
pub(crate) use table::Answer;
use table::{Table, Waiting};

/// Rejections of notices kept for who asks.
const KEPT_REJECTIONS: usize = 64;
/// Messages taken from the lane between two looks at the clock.
const LOOK: usize = 64;
/// Looks for an answer between two looks at whether the other side waits for room.
const TEND: u32 = 32;
/// Messages taken out of the way of who waits for room.
const DRAIN: usize = 4096;
/// Pauses between two looks for late answers: the shortest, and the longest.
const REAP_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// How often a waiting caller sees to a queue that waits for room (its own request may be in it).
const QUEUE_SLICE: Duration = Duration::from_millis(1);

/// The calls of one side of a link.
pub(crate) struct Calls {
    table: Mutex<Table>,
    /// Rung when a reply came and the lane's reader is parked.
    bell: Bell,
}

/// Why nothing came.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Ended(Departure),
    Deadline,
}

/// How leading ended.
enum Led<R> {
    Mine(R),
    Failed(Failure),
    Nothing(NoAnswer),
}

impl Calls {
    pub(crate) fn new(reader: Inbound, bell: Bell) -> Self {
        Self { table: Mutex::new(Table::new(reader)), bell }
    }

    /// Nothing of the user's runs under this lock.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// An id for a new call, which ends with [`or_forget`](Self::or_forget) or with waiting.
    pub(crate) fn begin(&self) -> u32 {
        let mut table = self.lock();
        loop {
            table.last_id = table.last_id.wrapping_add(1);
            let call_id = table.last_id;
            // After 2^32 calls an old one may still wait.
            if call_id != 0 && !table.waiting.iter().any(|waiting| waiting.call_id == call_id) {
                table.waiting.push(Waiting { call_id, answer: None, thread: None });
                return call_id;
            }
        }
    }

    /// Runs `send`, and ends the call if it fails or panics: what came for it would be discarded.
    pub(crate) fn or_forget<T, E>(
        &self,
        link: &Link,
        call_id: u32,
        send: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        struct Forget<'a>(&'a Calls, &'a Link, u32);
        impl Drop for Forget<'_> {
            fn drop(&mut self) {
                // A forked child comes out of the user's code here, and a thread of its parent may hold
                // the lock.
                if !self.1.is_inherited() {
                    self.0.lock().take(self.2);
                }
            }
        }
        let forget = Forget(self, link, call_id);
        let sent = send()?;
        std::mem::forget(forget);
        Ok(sent)
    }

    /// Waits for the answer to `call_id`; `read` decodes the reply's bytes.
    pub(crate) fn wait<R>(
        &self,
        link: &Link,
        call_id: u32,
        deadline: &mut Deadline,
        read: impl Fn(&[u8]) -> R,
    ) -> Result<Result<R, Failure>, NoAnswer> {
        loop {
            let mut table = self.lock();
            if table.has_answer(call_id) {
                let answer = table.take(call_id).and_then(|waiting| waiting.answer);
                drop(table);
                match answer {
                    Some(Answer::Reply(bytes)) => {
                        let value = read(&bytes);
                        // The user's code: see `or_forget`.
                        if !link.is_inherited() {
                            self.lock().keep(bytes);
                        }
                        return Ok(Ok(value));
                    }
                    Some(Answer::Failure(failure)) => return Ok(Err(failure)),
                    None => continue,
                }
            }
            let Some(reader) = table.reader.take() else {
                if !broken(Fault::FollowerUnnamed) {
                    table.sleep_from_now_on(call_id);
                }
                drop(table);
                if broken(Fault::FollowerUnnamed) {
                    self.lock().sleep_from_now_on(call_id);
                }
                self.follow(link, call_id, deadline)?;
                continue;
            };
            drop(table);
            // Decoding is the user's code, which may panic: the guard hands on in any case.
            let mut lead =
                Lead { calls: self, link, reader: Some(reader), call_id, abandons: false };
            let led = match lead.reader.as_deref_mut() {
                Some(reader) => self.lead(link, reader, call_id, deadline, &read),
                None => continue,
            };
            lead.abandons = matches!(led, Led::Nothing(NoAnswer::Deadline));
            drop(lead);
            return match led {
                Led::Mine(value) => Ok(Ok(value)),
                Led::Failed(failure) => Ok(Err(failure)),
                Led::Nothing(why) => Err(why),
            };
        }
    }

    /// Failures of messages that nobody waited for, taken out of the lane as far as they are there.
    pub(crate) fn take_rejections(&self, link: &Link) -> Vec<Failure> {
        self.drain(link);
        std::mem::take(&mut self.lock().rejections)
    }

    /// Takes what is there out of the lane, if nobody leads: replies that come after their calls ended
    /// would stand in the way of others. Tells whether there was anything.
    pub(crate) fn drain(&self, link: &Link) -> bool {
        let reader = self.lock().reader.take();
        let mut lead = Lead { calls: self, link, reader, call_id: 0, abandons: false };
        let Some(reader) = lead.reader.as_deref_mut() else { return false };
        let before = reader.consumer().position();
        for _ in 0..DRAIN {
            // A peer that sends without pause must not keep the listener from all others.
            if reader.consumer().position() - before >= LOOK_BYTES {
                break;
            }
            match reader.next() {
                Ok(Some(received)) => self.deliver(received, reader),
                Ok(None) if reader.consumer().has_data() => {}
                Ok(None) => break,
                // Nobody may ever call, and who finds it is who tells.
                Err(violation) => {
                    link.accuse(&violation);
                    break;
                }
            }
        }
        let moved = reader.consumer().position() != before;
        self.give_room(link, reader);
        moved
    }

    /// Takes the answers of calls that ended by their deadline out of the lane as they come. A large
    /// one that nobody takes would keep the other side from taking anything more of this one.
    pub(crate) fn reap(&self, link: &Link) {
        let mut pause = REAP_PAUSES.0;
        loop {
            crate::step::reach("reap.answers");
            let moved = self.drain(link);
            let mut table = self.lock();
            if table.abandoned.is_empty() || link.ended().is_some() {
                table.reaping = false;
                return;
            }
            drop(table);
            pause = if moved { REAP_PAUSES.0 } else { (pause * 2).min(REAP_PAUSES.1) };
            thread::sleep(pause);
        }
    }

    /// Does somebody have to begin to [`reap`](Self::reap)?
    pub(crate) fn wants_reaper(&self) -> bool {
        let mut table = self.lock();
        let wanted = !table.reaping && !table.abandoned.is_empty();
        table.reaping |= wanted;
        wanted
    }

    /// No answer to this call will come: its request was taken back. Zero: none to any.
    pub(crate) fn expect_nothing(&self, call_id: u32) {
        let mut table = self.lock();
        table.abandoned.retain(|abandoned| call_id != 0 && *abandoned != call_id);
        table.reaping &= call_id != 0;
    }

    fn follow(&self, link: &Link, call_id: u32, deadline: &mut Deadline) -> Result<(), NoAnswer> {
        match deadline.left() {
            Some(left) => sync::park_timeout(left.min(WAITING_SLICE)),
            None => {
                let mut table = self.lock();
                if !table.has_answer(call_id) {
                    table.take(call_id);
                    table.abandon(call_id);
                    table.wake_next();
                    return Err(NoAnswer::Deadline);
                }
            }
        }
        link.flush();
        Ok(())
    }

    fn lead<R>(
        &self,
        link: &Link,
        reader: &mut Inbound,
        call_id: u32,
        deadline: &mut Deadline,
        read: &impl Fn(&[u8]) -> R,
    ) -> Led<R> {
        let mut slept = false;
        loop {
            let mut looks = 0_u32;
            let found = wait::spin(link.spin_budget(), deadline, || {
                looks = looks.wrapping_add(1);
                let has_data = reader.consumer().has_data();
                let found = match has_data {
                    true => self.take_until_mine(reader, call_id, read).transpose(),
                    false => None,
                };
                let tend = has_data || looks % TEND == 0;
                if tend && found.is_none() && reader.consumer().producer_waits_hint() {
                    self.give_room(link, reader);
                }
                found
            });
            // Room is wanted by a sender that waits for it; looked at before going idle or leaving.
            self.give_room(link, reader);
            match found {
                Some(Ok(led)) => return led,
                Some(Err(violation)) => {
                    return Led::Nothing(NoAnswer::Ended(link.accuse(&violation)));
                }
                None => {}
            }
            if let Err(why) = self.park(link, reader, deadline, slept) {
                return Led::Nothing(why);
            }
            slept = true;
        }
    }

    /// Takes what is there, up to the answer to `call_id`, and no more than a look's worth: a peer
    /// that sends without end must not keep its caller past the deadline.
    #[inline]
    fn take_until_mine<R>(
        &self,
        reader: &mut Inbound,
        call_id: u32,
        read: &impl Fn(&[u8]) -> R,
    ) -> Result<Option<Led<R>>, Violation> {
        let begun = reader.consumer().position();
        for _ in 0..LOOK {
            if reader.consumer().position() - begun >= LOOK_BYTES {
                break;
            }
            let Some(received) = reader.next()? else { break };
            reader.consumer().publish();
            if received.call_id == call_id {
                match received.kind {
                    Kind::Reply => return Ok(Some(Led::Mine(read(reader.payload())))),
                    Kind::Failure => {
                        return Ok(Some(Led::Failed(Failure::from_bytes(reader.payload()))));
                    }
                    _ => {}
                }
            }
            self.deliver(received, reader);
        }
        Ok(None)
    }

    /// Gives a frame to whom it is for. Replies to calls that ended are dropped here.
    fn deliver(&self, received: Received, reader: &Inbound) {
        let mut table = self.lock();
        let answer = match received.kind {
            Kind::Reply => Answer::Reply(table.copy(reader.payload())),
            Kind::Failure => Answer::Failure(Failure::from_bytes(reader.payload())),
            // A goodbye is told by its word in the segment too; nothing else belongs here.
            _ => return,
        };
        if received.call_id == 0 {
            if let Answer::Failure(failure) = answer
                && table.rejections.len() < KEPT_REJECTIONS
            {
                table.rejections.push(failure);
            }
            return;
        }
        if let Some(waiting) =
            table.waiting.iter_mut().find(|waiting| waiting.call_id == received.call_id)
        {
            waiting.answer = Some(answer);
            if let Some(thread) = waiting.thread.as_ref().filter(|_| !broken(Fault::AnswerUntold)) {
                thread.unpark();
            }
        } else {
            if let Answer::Reply(bytes) = answer {
                table.keep(bytes);
            }
            table.abandoned.retain(|abandoned| *abandoned != received.call_id);
        }
    }

    /// Sleeps until something came into the lane, or time to look at the world again.
    fn park(
        &self,
        link: &Link,
        reader: &mut Inbound,
        deadline: &mut Deadline,
        has_slept: bool,
    ) -> Result<(), NoAnswer> {
        let Some(left) = deadline.left() else {
            return Err(NoAnswer::Deadline);
        };
        let token = self.bell.token();
        // The kernel is asked whether the peer lives by who has slept in vain. A death before that is
        // told by the watch, or found after the first slice.
        let ended = if has_slept { link.ended_for_certain() } else { link.ended() };
        let (mut quiet, mut slice) = (false, WAITING_SLICE);
        let slept = self.bell.sleep_unless(token, reader.consumer(), |consumer| {
            // What the peer sent before it ended is looked at after its end is certain.
            quiet = !consumer.has_data();
            if !quiet || ended.is_some() {
                return None;
            }
            slice = if link.flush() { WAITING_SLICE } else { QUEUE_SLICE };
            Some(left.min(slice))
        });
        if let Some(departure) = ended.filter(|_| quiet) {
            return Err(NoAnswer::Ended(departure));
        }
        if slept == Slept::InVain && slice == WAITING_SLICE {
            // What it finds is told by the next look, after one at what the peer sent before.
            drop(link.ended_after_a_wait());
        }
        Ok(())
    }

    /// Gives the lane's room back and wakes who waits for it.
    #[inline]
    fn give_room(&self, link: &Link, reader: &mut Inbound) {
        reader.consumer().publish();
        if reader.consumer().producer_waits() {
            link.ring_for_reply_room();
        }
    }

    /// Ends leading: the reader goes back, and a caller that sleeps is woken to lead.
    #[inline]
    fn hand_on(&self, mut reader: Box<Inbound>, call_id: u32, abandons: bool) {
        if broken(Fault::HandOnEarly) {
            self.lock().wake_next();
            self.lock().reader = Some(reader);
            self.lock().take(call_id);
            return;
        }
        reader.trim();
        let mut table = self.lock();
        table.reader = Some(reader);
        table.take(call_id);
        if abandons {
            table.abandon(call_id);
        }
        if !broken(Fault::NoHandOn) {
            table.wake_next();
        }
    }
}

/// The lane's reader in a leader's hands.
struct Lead<'a> {
    calls: &'a Calls,
    link: &'a Link,
    reader: Option<Box<Inbound>>,
    call_id: u32,
    /// Whether the call's answer may come when nobody waits for it any more.
    abandons: bool,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let reader = self.reader.take();
        if self.link.is_inherited() {
            // A forked child that came out of the user's code: nobody leads there, nor waits.
            std::mem::forget(reader);
        } else if let Some(reader) = reader {
            self.calls.hand_on(reader, self.call_id, self.abandons);
        }
    }
}
