//! How a link ends, and who knows it.

use std::sync::PoisonError;

use super::outbound::Flushed;
use super::{Attention, Link};
use crate::error::{Departure, SendError};
use crate::link::control::Goodbye;
use crate::os::watch::Watch;
use crate::ring::frame::Kind;
use crate::ring::{Label, Violation};
use crate::sync::{Fault, Ordering, broken, fence};

impl Link {
    /// Was the link made by a parent of this process? Then there is nothing left of it here, and
    /// other threads of the parent may have been in the middle of anything: keep away.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        crate::os::generation::is_inherited(self.generation)
    }

    /// A forked child gets an error of its own.
    #[inline]
    pub(crate) fn check_own(&self) -> Result<(), SendError> {
        if self.is_inherited() { Err(SendError::Forked) } else { Ok(()) }
    }

    /// How the link ended, as far as can be told without asking the kernel.
    #[inline]
    pub(crate) fn ended(&self) -> Option<Departure> {
        if let Some(departure) = self.end.get() {
            return Some(departure.clone());
        }
        match self.segment.peer_goodbye() {
            0 => None,
            code => {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some(said.unwrap_or_else(|| Goodbye::departure(code)))
            }
        }
    }

    /// How the link ended, with the kernel asked whether the peer lives.
    pub(crate) fn ended_for_certain(&self) -> Option<Departure> {
        self.ended().or_else(|| {
            if self.segment.peer_is_alive() {
                return None;
            }
            // A goodbye may have come just before the end.
            let departure = self.ended().unwrap_or(Departure::Died);
            // Who waits is told first: removing files may take long on a busy machine.
            let end = self.end_with(departure);
            if let Attention::Remote(view, _) = &self.attention {
                view.remove_if_stale();
            }
            Some(end)
        })
    }

    /// Looks whether the peer lives. Where its process `has_ended` it does not, whoever holds its
    /// lock: a child that it made past the C library inherited that.
    pub(super) fn find_peer_gone(&self, has_ended: bool) {
        if self.ended_for_certain().is_none() && has_ended {
            self.end_with(self.ended().unwrap_or(Departure::Died));
        }
    }

    /// As [`ended_for_certain`](Self::ended_for_certain), and sooner where a dead process has much
    /// memory to free or a core to write, before which the kernel does not let go of its lock.
    /// For who has waited in vain for some time: it costs more.
    pub(crate) fn ended_after_a_wait(&self) -> Option<Departure> {
        self.ended_for_certain().or_else(|| {
            // A goodbye may have come just before the end.
            let departure = || self.ended().unwrap_or(Departure::Died);
            self.peer_is_ending().then(|| self.end_with(departure()))
        })
    }

    /// Removes the name of the server that died, where it was noticed before its lock was free.
    pub(crate) fn remove_stale_name(&self) {
        match &self.attention {
            Attention::Remote(view, _) if !self.segment.peer_is_alive() => view.remove_if_stale(),
            _ => {}
        }
    }

    /// Does the peer's process certainly run no more, though it may still hold its lock?
    pub(crate) fn peer_is_ending(&self) -> bool {
        self.watch.get().is_some_and(Watch::is_ending)
    }

    /// Remembers what the peer's goodbye frame said.
    pub(crate) fn heard(&self, departure: Departure) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(departure);
    }

    /// Ends the link because the peer broke the protocol.
    pub(crate) fn accuse(&self, violation: &Violation) -> Departure {
        let text = violation.to_string();
        self.close(&Goodbye::Violation(text.clone()), Departure::Violation(text))
    }

    /// Ends the link in an orderly way: says goodbye in the ring if there is room, and by the word
    /// in any case, then wakes both sides. Gives the end that counts, which is the first.
    pub(crate) fn close(&self, goodbye: &Goodbye, departure: Departure) -> Departure {
        if self.is_inherited() {
            return Departure::ClosedHere;
        }
        let mut is_first = false;
        let end = self.end.get_or_init(|| {
            is_first = true;
            departure
        });
        if !is_first {
            return end.clone();
        }
        if broken(Fault::GoodbyeFirst) {
            self.segment.say_goodbye(goodbye.code());
        }
        crate::step::reach("goodbye.closing");
        self.closed.store(true, Ordering::Relaxed);
        // SYNC(closing): from here on this side's listener drops what it takes; the goodbye below
        // comes after that.
        fence(Ordering::SeqCst);
        while self.flush_some() == Flushed::Partly {}
        drop(self.messages.say_goodbye(self, Label::new(Kind::Goodbye, 0), &goodbye.to_bytes()));
        self.segment.say_goodbye(goodbye.code());
        crate::step::reach("goodbye.said");
        self.wake_own_side();
        if !broken(Fault::ClosedQuietly) {
            self.wake_far_side();
        }
        end.clone()
    }

    /// Has this side closed the link, as far as can be told without a fence? For messages that
    /// nobody asks about.
    #[inline]
    pub(crate) fn was_closed_here(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Has this side closed the link? Ask after publishing the position of what was taken and
    /// before dispatching it; then drop it.
    #[inline]
    pub(crate) fn is_closed_here(&self) -> bool {
        // SYNC(closing): orders the published position before this look.
        if !broken(Fault::TakenUnfenced) {
            fence(Ordering::SeqCst);
        }
        self.closed.load(Ordering::Relaxed)
    }

    fn end_with(&self, departure: Departure) -> Departure {
        let first = self.end.get_or_init(|| departure).clone();
        self.wake_own_side();
        first
    }
}
