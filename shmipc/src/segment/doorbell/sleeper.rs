//! The order of the proof in [`super`], written once: say that somebody sleeps, look again, sleep,
//! and take the word back.

use std::time::Duration;

use super::{Bell, Token};
use crate::ring::{Consumer, Lane, Producer};
use crate::sync::{Fault, broken};

/// Who may sleep, and says so where the one who rings looks. Saying it is fenced: a look that
/// follows sees what was published by whoever did not see the announcement.
pub(crate) trait Sleeper {
    /// Says that this side is about to sleep.
    fn announce(&mut self);
    /// Takes it back.
    fn withdraw(&mut self);
}

impl Sleeper for Consumer {
    #[inline]
    fn announce(&mut self) {
        self.announce_wait();
    }

    #[inline]
    fn withdraw(&mut self) {
        self.withdraw_wait();
    }
}

/// Who waits for room in a lane.
pub(crate) struct ForRoom<'a>(pub(crate) &'a Lane);

impl Sleeper for ForRoom<'_> {
    #[inline]
    fn announce(&mut self) {
        Producer::announce_wait(self.0);
    }

    #[inline]
    fn withdraw(&mut self) {
        Producer::withdraw_wait(self.0);
    }
}

/// How a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slept {
    /// It did not begin.
    NotAtAll,
    /// By a ring, or sooner than it meant to.
    UntilRung,
    /// It lasted for as long as it meant to, and nobody rang.
    InVain,
}

/// The last look before a sleep, after saying that this side sleeps. For who sleeps for several at
/// once, and withdraws later.
#[inline]
pub(crate) fn look_announced<S: Sleeper, T>(sleeper: &mut S, look: impl FnOnce(&mut S) -> T) -> T {
    if !broken(Fault::AnnouncedLate) {
        sleeper.announce();
    }
    let found = look(sleeper);
    if broken(Fault::AnnouncedLate) {
        sleeper.announce();
    }
    found
}

impl Bell {
    /// Sleeps, unless the last `look` finds that there is something to do: it gives how long to
    /// sleep at most, or `None`. The token is older than any look on which the sleep depends,
    /// those before this call included. Withdrawn when it returns.
    #[inline]
    pub(crate) fn sleep_unless<S: Sleeper>(
        &self,
        mut token: Token,
        sleeper: &mut S,
        look: impl FnOnce(&mut S) -> Option<Duration>,
    ) -> Slept {
        let timeout = look_announced(sleeper, look);
        if broken(Fault::TokenLate) {
            token = self.token();
        }
        let slept = match timeout {
            None => Slept::NotAtAll,
            Some(timeout) if self.sleep(token, timeout) => Slept::InVain,
            Some(_) => Slept::UntilRung,
        };
        sleeper.withdraw();
        slept
    }
}
