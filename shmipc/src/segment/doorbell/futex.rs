//! The futex doorbell: a word that counts rings. A sleep on an old count returns at once.
//!
//! # Who sleeps trusts nobody to wake it
//! The word is shared, and the kernel serves whoever has it mapped: with one call a peer moves all
//! who sleep on it to a word of its own, where no ring reaches them, or has every wake-up fail by
//! waiting for a lock on the word. So every sleep is bounded by a timer of the kernel's, and by
//! nothing else: a thread that rings for those who are late would need their word too, and may
//! itself be kept from running. Arming a timer costs 0.3 µs of a sleep.
//!
//! Who sleeps for long sleeps on a word of this process besides (`futex_waitv`, Linux 5.16), which
//! the rings of its own side change: so a stop, a close and the death of the peer reach it at once,
//! whoever plays with the shared word. Who was rung the last time does not, as that costs as much
//! as the timer: it sleeps for [`PATIENCE`] at most.
//!
//! Rings of other processes cannot be kept from being lost that way. Who finds twice in a row that
//! it slept through one is [wary](WARY_SLEEPS) for a while, so that it is late by milliseconds.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU32 as OwnWord;
use std::time::Duration;

use crate::os::{self, Woken};
use crate::sync::{AtomicU32, Ordering};

/// The longest sleep on the shared word alone.
const PATIENCE: Duration = Duration::from_millis(50);
/// After rings that were slept through sleeps are no longer than this, and so many of them.
const WARY_SLEEP: Duration = Duration::from_millis(10);
const WARY_SLEEPS: u32 = 500;

/// What a bell's two words were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Token {
    shared: u32,
    own: u32,
}

pub(super) struct FutexBell {
    word: NonNull<AtomicU32>,
    /// Counts the rings of this process for itself. In models there is nobody to beware of.
    own: OwnWord,
    /// Not zero: the last sleep ended by a ring.
    lively: OwnWord,
    /// Zero, or one: the last sleep lasted to its end though the bell rang. More: so many sleeps,
    /// and one, are kept short.
    wary: OwnWord,
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the word is an atomic in memory that `_owner` keeps alive.
unsafe impl Send for FutexBell {}
// SAFETY: as above.
unsafe impl Sync for FutexBell {}

impl FutexBell {
    /// # Safety
    /// `word` is valid while `owner` lives.
    pub(super) unsafe fn new(word: NonNull<AtomicU32>, owner: Arc<dyn Any + Send + Sync>) -> Self {
        let [own, lively, wary] = [(); 3].map(|()| OwnWord::new(0));
        Self { word, own, lively, wary, _owner: owner }
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: `new`'s contract.
        unsafe { self.word.as_ref() }
    }

    pub(super) fn token(&self) -> Token {
        // SYNC(bell): a ring counted after this makes the sleep return at once; what came before a
        // ring that is counted already is seen by the look that follows.
        let shared = self.word().load(Ordering::Acquire);
        // SYNC(own-bell): as above.
        Token { shared, own: self.own.load(std::sync::atomic::Ordering::Acquire) }
    }

    /// `true`: it lasted to its end, and nobody rang.
    pub(super) fn sleep(&self, token: Token, timeout: Duration) -> bool {
        let (word, relaxed) = (self.word(), std::sync::atomic::Ordering::Relaxed);
        if cfg!(loom) {
            // In models no time passes: there is nothing to bound.
            os::futex_wait(word, token.shared, Duration::MAX);
            return false;
        }
        // Also where the shared word was put back to what it was before a ring.
        if self.own.load(relaxed) != token.own {
            return false;
        }
        let wary = self.wary.load(relaxed);
        let timeout = if wary > 1 { timeout.min(WARY_SLEEP) } else { timeout };
        let woken = if self.lively.load(relaxed) == 0 {
            os::futex_wait_both(word, token.shared, &self.own, token.own, timeout)
        } else {
            os::futex_wait(word, token.shared, timeout.min(PATIENCE))
        };
        let rang = word.load(Ordering::Relaxed) != token.shared;
        let late = woken == Woken::ByTime;
        self.lively.store(u32::from(rang && !late), relaxed);
        // Once may be chance: the ring that came just then.
        let wary = match (rang && late, wary) {
            (true, 0) => 1,
            (true, _) => WARY_SLEEPS + 1,
            (false, 0 | 1) => 0,
            (false, left) => left - 1,
        };
        self.wary.store(wary, relaxed);
        late && !rang
    }

    pub(super) fn ring(&self) {
        // SYNC(bell): a count that wraps around to a token needs 2^32 rings within one sleep.
        self.word().fetch_add(1, Ordering::Release);
        os::futex_wake(self.word());
    }

    /// Wakes who sleeps here in this process, unless it does so for a moment only.
    pub(super) fn ring_own(&self) {
        // SYNC(own-bell): as `ring`.
        self.own.fetch_add(1, std::sync::atomic::Ordering::Release);
        if !cfg!(loom) {
            os::futex_wake_own(&self.own);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use nix::libc;

    use super::*;

    /// A watchdog by construction: nobody would wait for it.
    const HOUR: Duration = Duration::from_secs(3600);
    const LONG: Duration = Duration::from_secs(30);

    fn bell() -> (Arc<FutexBell>, Arc<AtomicU32>) {
        let word = Arc::new(AtomicU32::new(0));
        // SAFETY: the word lives as long as its owner.
        let bell = unsafe { FutexBell::new(NonNull::from(&*word), word.clone()) };
        (Arc::new(bell), word)
    }

    /// Moves a sleeper to a word that nobody wakes, once there is one.
    fn move_away(word: &AtomicU32) {
        static PIT: AtomicU32 = AtomicU32::new(0);
        let requeue = libc::FUTEX_REQUEUE;
        // SAFETY: both words are valid for the call, which only uses their addresses.
        while unsafe {
            let all = libc::c_long::from(i32::MAX);
            libc::syscall(libc::SYS_futex, word.as_ptr(), requeue, 0, all, PIT.as_ptr(), 0)
        } == 0
        {
            thread::yield_now();
        }
    }

    fn sleep(bell: &Arc<FutexBell>, timeout: Duration) -> mpsc::Receiver<bool> {
        let (bell, token) = (bell.clone(), bell.token());
        let (told, ended) = mpsc::channel();
        thread::spawn(move || told.send(bell.sleep(token, timeout)));
        ended
    }

    /// Where the kernel has no `futex_waitv` that ring arrives with the time-out.
    #[test]
    fn a_sleeper_that_was_moved_hears_its_own_side() {
        let (bell, word) = bell();
        let ended = sleep(&bell, HOUR);
        move_away(&word);
        bell.ring();
        assert!(ended.recv_timeout(Duration::from_millis(50)).is_err(), "the attack failed");
        bell.ring_own();
        assert_eq!(ended.recv_timeout(LONG), Ok(false));
    }

    /// A lively sleeper once had no bound of its own.
    #[test]
    fn a_lively_sleeper_that_was_moved_looks_again() {
        let (bell, word) = bell();
        let ended = sleep(&bell, HOUR);
        while ended.try_recv().is_err() {
            bell.ring();
            thread::yield_now();
        }
        bell.lively.store(1, std::sync::atomic::Ordering::Relaxed);
        let ended = sleep(&bell, HOUR);
        move_away(&word);
        assert_eq!(ended.recv_timeout(LONG), Ok(true));
    }

    #[test]
    fn a_ring_of_its_own_is_not_slept_through_though_the_word_was_put_back() {
        let (bell, word) = bell();
        let token = bell.token();
        bell.ring_own();
        bell.ring();
        word.store(token.shared, Ordering::Relaxed);
        assert!(!bell.sleep(token, HOUR));
    }

    /// Who sleeps through rings sleeps for shorter times, and trusts again in the end.
    #[test]
    fn rings_that_are_slept_through_make_wary() {
        let (bell, word) = bell();
        let wary = || bell.wary.load(std::sync::atomic::Ordering::Relaxed);
        for expected in [1, WARY_SLEEPS + 1] {
            let ended = sleep(&bell, Duration::from_millis(100));
            move_away(&word);
            bell.ring();
            assert_eq!(ended.recv_timeout(LONG), Ok(false));
            assert_eq!(wary(), expected);
        }
        assert!(bell.sleep(bell.token(), HOUR), "it slept for longer than the wary do");
        bell.wary.store(2, std::sync::atomic::Ordering::Relaxed);
        assert!(bell.sleep(bell.token(), HOUR));
        assert_eq!(wary(), 1);
    }
}
