//! Calls that wait for their replies. The caller takes its reply out of the lane itself; where
//! several threads wait, one leads: it takes what comes, gives the others theirs, and hands the
//! lane on when it has its own. The others sleep.
//!
//! The lane's reader stands in the table while nobody leads. So "is there a leader" and "is my
//! reply there" are answered under one lock, and no hand-on is missed: a leader that leaves puts
//! the reader back and wakes a waiting caller under the same lock under which that caller went to
//! wait.

mod leader;
mod passing;
mod table;

use std::sync::PoisonError;

use super::Link;
use super::inbound::{Inbound, Received};
use crate::error::Departure;
use crate::link::control::Failure;
use crate::os::wait::{Deadline, WAITING_SLICE};
use crate::ring::frame::Kind;
use crate::segment::doorbell::Bell;
use crate::sync::{self, Fault, Mutex, MutexGuard, broken};
use leader::{LeadEnd, Leadership};
pub(crate) use table::Answer;
use table::{Table, Waiting};

/// Rejections of notices kept for who asks.
const KEPT_REJECTIONS: usize = 64;

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
                // A forked child comes out of the user's code here, and a thread of its parent may
                // hold the lock.
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
            let mut leadership =
                Leadership { calls: self, link, reader: Some(reader), call_id, abandons: false };
            let end = match leadership.reader.as_deref_mut() {
                Some(reader) => self.lead(link, reader, call_id, deadline, &read),
                None => continue,
            };
            leadership.abandons = matches!(end, LeadEnd::Nothing(NoAnswer::Deadline));
            drop(leadership);
            return match end {
                LeadEnd::Mine(value) => Ok(Ok(value)),
                LeadEnd::Failed(failure) => Ok(Err(failure)),
                LeadEnd::Nothing(why) => Err(why),
            };
        }
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
}
