//! Sending and calling over a link, and how a call ended.

use std::borrow::Borrow;
use std::time::Duration;

use serde::Serialize;

use super::calls::NoAnswer;
use super::outbound::{Flushed, Sent, Tell, WhenFull};
use super::{Attention, Link};
use crate::error::{CallError, DecodeError, Departure, Outcome, SendError};
use crate::link::control::{Failure, Goodbye};
use crate::link::nesting;
use crate::os::thread::{self, Purpose};
use crate::os::wait::Deadline;
use crate::ring::Label;
use crate::ring::frame::Kind;
use crate::segment::link::Role;
use crate::sync::{Ordering, fence};

/// Of so many messages that are sent together, the server is told of one at once.
const TELL_EVERY: usize = 32;

impl Link {
    /// Writes what waits in private queues, as far as there is room. `true`: nothing waits.
    #[inline]
    pub(crate) fn flush(&self) -> bool {
        self.flush_some() == Flushed::All
    }

    /// The same for who can tell whether anything waits for room, or was only left for the next
    /// time.
    #[inline]
    pub(crate) fn flush_some(&self) -> Flushed {
        match (self.messages.flush(self), self.replies.flush(self)) {
            (Flushed::Partly, _) | (_, Flushed::Partly) => Flushed::Partly,
            (Flushed::Blocked, _) | (_, Flushed::Blocked) => Flushed::Blocked,
            (Flushed::All, Flushed::All) => Flushed::All,
        }
    }

    /// Sends a notice: a client waits for room, a server queues, or does `when_full`.
    pub(crate) fn notify<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Duration,
        when_full: WhenFull,
    ) -> Result<(), SendError> {
        self.check_open(timeout)?;
        let label = Label::new(Kind::Notice, 0);
        match self.segment.role() {
            Role::Client => {
                let mut deadline = Deadline::new(timeout);
                let tell = Tell::Now;
                self.messages.send_blocking(self, label, value, &mut deadline, tell).map(drop)
            }
            Role::Server => {
                self.check_handled()?;
                let sent = self.messages.send_queueing(self, label, value, when_full);
                self.close_if_too_slow(sent)
            }
        }
    }

    /// Sends notices, and looks whether the server sleeps only now and then. For a client. Gives
    /// how many were sent, with the error that kept the next one back.
    pub(crate) fn notify_all<T: Serialize + ?Sized>(
        &self,
        messages: impl IntoIterator<Item = impl Borrow<T>>,
        timeout: Duration,
    ) -> (usize, Result<(), SendError>) {
        /// Whoever sleeps is told of messages while more of them are on their way.
        struct Untold<'a>(&'a Link, usize);
        impl Drop for Untold<'_> {
            fn drop(&mut self) {
                if self.1 > 0 && !self.0.is_inherited() {
                    self.0.messages.tell(self.0);
                }
            }
        }
        let mut untold = Untold(self, 0);
        // The iterator is the user's code: nothing is locked while it runs, and if it panics, what
        // was sent before is told.
        for message in messages {
            if let Err(error) = self.check_open(timeout) {
                return (untold.1, Err(error));
            }
            let (label, mut deadline) = (Label::new(Kind::Notice, 0), Deadline::new(timeout));
            let tell = if untold.1 % TELL_EVERY == 0 { Tell::Now } else { Tell::Later };
            let message = message.borrow();
            let sent = self.messages.send_blocking(self, label, message, &mut deadline, tell);
            if let Err(error) = sent {
                return (untold.1, Err(error));
            }
            untold.1 += 1;
        }
        (untold.1, Ok(()))
    }

    /// Sends an event that is encoded already, one of a broadcast: if it is refused, the peer is
    /// told that it missed one. For the server.
    pub(crate) fn notify_encoded(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.check_open(Duration::MAX)?;
        self.check_handled()?;
        let label = Label::new(Kind::Notice, 0);
        let sent = self.messages.send_bytes(self, label, bytes, WhenFull::Count);
        self.close_if_too_slow(sent)
    }

    fn close_if_too_slow(&self, sent: Result<Sent, SendError>) -> Result<(), SendError> {
        if self.policy.close_when_full && matches!(sent, Err(SendError::Overflow { .. })) {
            self.close(&Goodbye::TooSlow, Departure::TooSlow);
        }
        sent.map(drop)
    }

    /// Sends a request and waits for its reply.
    pub(crate) fn call<T: Serialize + ?Sized, R>(
        &self,
        value: &T,
        timeout: Duration,
        read: impl Fn(&[u8]) -> Result<R, DecodeError>,
    ) -> Result<R, CallError> {
        self.check_open(timeout)?;
        let mut deadline = Deadline::new(timeout);
        let call_id = self.calls.begin();
        let label = Label::new(Kind::Request, call_id);
        let sent = self.calls.or_forget(self, call_id, || match self.segment.role() {
            Role::Client => {
                let tell = Tell::Now;
                let end = self.messages.send_blocking(self, label, value, &mut deadline, tell)?;
                Ok(Sent::At(end))
            }
            Role::Server => self
                .check_handled()
                // Encoding a large message takes its time, and that counts.
                .inspect(|()| _ = deadline.left())
                .and_then(|()| self.messages.send_queueing(self, label, value, WhenFull::Refuse)),
        })?;
        match self.calls.wait(self, call_id, &mut deadline, read) {
            Ok(answer) => {
                if sent == Sent::Queued {
                    // A hostile peer answers what never left: then nobody waits for its end.
                    self.recall(call_id);
                }
                answer?.map_err(CallError::UndecodableReply)
            }
            Err(NoAnswer::Ended(departure)) => {
                let outcome = self.outcome_after_end(sent, call_id);
                Err(CallError::PeerGone { pid: self.peer.pid, departure, outcome })
            }
            Err(NoAnswer::Deadline) => {
                // Only what never left this process is certain not to run later.
                let recalled = sent == Sent::Queued && self.recall(call_id);
                if recalled {
                    self.calls.expect_nothing(call_id);
                } else {
                    self.reap_late_answers();
                }
                let outcome = if recalled { Outcome::NotStarted } else { Outcome::MayHaveRun };
                let waited = deadline.waited();
                Err(CallError::Deadline { waited, pid: self.peer.pid, outcome })
            }
        }
    }

    /// Has a thread take late answers out of the lane until the last has come or the link ends.
    fn reap_late_answers(&self) {
        let Some(link) = self.own.upgrade().filter(|_| self.calls.wants_reaper()) else { return };
        let reap = move || link.calls().reap(&link);
        if thread::spawn(Purpose::Reaper, self.hook.clone(), reap).is_err() {
            // Then whoever next waits for room, or calls, takes them.
            self.calls.expect_nothing(0);
        }
    }

    /// Takes a request back out of the queue; `true`: it never will run.
    fn recall(&self, call_id: u32) -> bool {
        let recalled = self.messages.recall(call_id);
        self.messages.take_queued_end(call_id);
        recalled
    }

    /// Did a request run whose link ended? The ring tells, once the other side is certain to take
    /// no more: its process is dead, or it said goodbye.
    ///
    /// The consumer publishes its position, fences, and drops what it took if its side was closed
    /// ([`is_closed_here`](Self::is_closed_here)); closing sets that, fences, and then says
    /// goodbye. Here the goodbye is seen, a fence, then the position is read. If that position
    /// does not cover the request, the consumer's fence comes after this one, hence after the
    /// closing one, and it drops the request. Where only *this* side ended the link, the other
    /// may still take it.
    fn outcome_after_end(&self, sent: Sent, call_id: u32) -> Outcome {
        let end = match sent {
            Sent::At(end) => Some(end),
            Sent::Queued => {
                let end = self.messages.take_queued_end(call_id);
                if end.is_none() && self.recall(call_id) {
                    return Outcome::NotStarted;
                }
                end
            }
        };
        let takes_no_more = self.segment.peer_goodbye() != 0
            || !self.segment.peer_is_alive()
            || self.peer_is_ending();
        // SYNC(closing): orders the look at the goodbye before the look at the position.
        fence(Ordering::SeqCst);
        match end {
            Some(end) if takes_no_more && !self.messages.was_taken(end) => Outcome::NotStarted,
            _ => Outcome::MayHaveRun,
        }
    }

    /// What the peer reported about messages that nobody waited for.
    pub(crate) fn take_rejections(&self) -> Vec<CallError> {
        // A forked child keeps away from its parent's locks.
        if self.is_inherited() {
            return Vec::new();
        }
        self.calls.take_rejections(self).into_iter().map(CallError::from).collect()
    }

    /// Sends a failure instead of a reply.
    pub(crate) fn fail(&self, call_id: u32, failure: &Failure) {
        if self.is_inherited() {
            return;
        }
        let label = Label::new(Kind::Failure, call_id);
        // Of failures for which nobody waits only as many are kept as fit.
        let when_full = if call_id == 0 { WhenFull::Refuse } else { WhenFull::Queue };
        // Any other error means that the link ended: there is nobody left to tell.
        drop(self.replies.send_bytes(self, label, &failure.to_bytes(), when_full));
    }

    #[inline]
    fn check_open(&self, timeout: Duration) -> Result<(), SendError> {
        self.check_own()?;
        if nesting::is_for(|whom| self.is_meant_by(whom)) {
            return Err(SendError::InsideSerialize);
        }
        if timeout.is_zero() {
            return Err(SendError::ZeroDeadline);
        }
        match self.ended() {
            Some(departure) => Err(self.send_error(departure)),
            None => Ok(()),
        }
    }

    /// Does an encoding on this thread ([`nesting`]) go over this link: for it alone, or for all of
    /// its server's?
    pub(crate) fn is_meant_by(&self, whom: usize) -> bool {
        whom == nesting::address(self)
            || matches!(&self.attention, Attention::Local(registry, _)
                if whom == nesting::address(&**registry))
    }

    fn check_handled(&self) -> Result<(), SendError> {
        if self.segment.options().handles_events {
            Ok(())
        } else {
            Err(SendError::NotHandled { pid: self.peer.pid })
        }
    }

    pub(crate) fn send_error(&self, departure: Departure) -> SendError {
        match departure {
            Departure::ClosedHere => SendError::Closed,
            departure => SendError::PeerGone { pid: self.peer.pid, departure },
        }
    }
}
