//! The calls that wait, and what came for them.

use std::collections::VecDeque;

use crate::link::control::Failure;
use crate::link::inbound::Inbound;
use crate::sync::{self, Thread};

/// Replies' memory kept for callers whose reply another thread takes: so many, each of so many
/// bytes.
const KEPT_REPLIES: usize = 4;
const KEPT_REPLY: usize = 8 << 10;

/// Calls kept whose answers may still come.
const KEPT_ABANDONED: usize = 1024;

pub(super) struct Table {
    /// The last id given out; 0 is none.
    pub(super) last_id: u32,
    pub(super) waiting: Vec<Waiting>,
    /// The lane's reading end, while nobody leads.
    pub(super) reader: Option<Box<Inbound>>,
    /// Failures of messages that nobody waits for.
    pub(super) rejections: Vec<Failure>,
    /// Memory for replies that their callers do not take themselves.
    pub(super) spare: Vec<Vec<u8>>,
    /// Calls that ended by their deadline and whose answers may still come, the oldest first.
    pub(super) abandoned: VecDeque<u32>,
    /// Whether a thread sees to those.
    pub(super) reaping: bool,
}

pub(super) struct Waiting {
    pub(super) call_id: u32,
    pub(super) answer: Option<Answer>,
    /// The caller, once it sleeps.
    pub(super) thread: Option<Thread>,
}

/// What came for a call.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Vec<u8>),
    Failure(Failure),
}

impl Table {
    pub(super) fn new(reader: Inbound) -> Self {
        Self {
            last_id: 0,
            waiting: Vec::new(),
            reader: Some(Box::new(reader)),
            rejections: Vec::new(),
            spare: Vec::new(),
            abandoned: VecDeque::new(),
            reaping: false,
        }
    }

    /// Remembers that an answer may come that nobody waits for. A peer that never answers may make
    /// that many: the oldest are forgotten, as answers come in the order of their requests.
    pub(super) fn abandon(&mut self, call_id: u32) {
        if self.abandoned.len() == KEPT_ABANDONED {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back(call_id);
    }

    pub(super) fn copy(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Keeps a reply's memory for the next one, unless there is enough or it is large.
    pub(super) fn keep(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < KEPT_REPLIES && bytes.capacity() <= KEPT_REPLY {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    #[inline]
    pub(super) fn has_answer(&self, call_id: u32) -> bool {
        self.waiting.iter().any(|w| w.call_id == call_id && w.answer.is_some())
    }

    pub(super) fn take(&mut self, call_id: u32) -> Option<Waiting> {
        let index = self.waiting.iter().position(|waiting| waiting.call_id == call_id)?;
        Some(self.waiting.swap_remove(index))
    }

    /// Wakes a caller that sleeps, to lead if nobody does.
    pub(super) fn wake_next(&self) {
        let next = self.waiting.iter().find(|w| w.answer.is_none() && w.thread.is_some());
        if let Some(thread) = next.and_then(|waiting| waiting.thread.as_ref()) {
            thread.unpark();
        }
    }

    pub(super) fn sleep_from_now_on(&mut self, call_id: u32) {
        if let Some(waiting) = self.waiting.iter_mut().find(|w| w.call_id == call_id) {
            waiting.thread.get_or_insert_with(sync::current);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A live peer that never answers once made the list grow without end.
    #[test]
    fn calls_that_nobody_answers_are_forgotten_the_oldest_first() {
        let mut table = Table {
            last_id: 0,
            waiting: Vec::new(),
            reader: None,
            rejections: Vec::new(),
            spare: Vec::new(),
            abandoned: VecDeque::new(),
            reaping: false,
        };
        let last = 3 * KEPT_ABANDONED as u32;
        (1..=last).for_each(|call_id| table.abandon(call_id));
        let kept: Vec<u32> = table.abandoned.into_iter().collect();
        let first = last - KEPT_ABANDONED as u32 + 1;
        assert_eq!(kept, (first..=last).collect::<Vec<_>>());
    }
}
