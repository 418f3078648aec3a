//! The futex doorbell: a word that counts rings. A sleep on an old count returns at once.
//!
//! A sleep is bounded by a timer of the kernel's, unless the last one ended by a ring: then the next
//! ring is likely to come soon too, and the bound is [`crate::alarm`]'s, which costs less.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::alarm;
use crate::sync::{AtomicU32, Ordering};
use crate::sys;

pub(super) struct FutexBell {
    word: NonNull<AtomicU32>,
    /// Not zero: the last sleep ended by a ring.
    lively: AtomicU32,
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
        Self { word, lively: AtomicU32::new(0), _owner: owner }
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: `new`'s contract.
        unsafe { self.word.as_ref() }
    }

    pub(super) fn token(&self) -> u32 {
        // SYNC(bell): a ring counted after this makes the sleep return at once; what came before a
        // ring that is counted already is seen by the look that follows.
        self.word().load(Ordering::Acquire)
    }

    pub(super) fn sleep(&self, token: u32, timeout: Duration) {
        let word = self.word();
        if cfg!(loom) {
            // In models no time passes: there is nothing to bound.
            return sys::futex_wait(word, token, None);
        }
        let rang = || word.load(Ordering::Relaxed) != token;
        if self.lively.load(Ordering::Relaxed) == 0 {
            sys::futex_wait(word, token, Some(timeout));
            self.lively.store(u32::from(rang()), Ordering::Relaxed);
            return;
        }
        let started = Instant::now();
        alarm::sleep(word, token, timeout);
        // The alarm rings too.
        if !rang() || started.elapsed() >= timeout.min(alarm::PATIENCE) {
            self.lively.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn ring(&self) {
        // SYNC(bell): a count that wraps around to a token needs 2^32 rings within one sleep.
        self.word().fetch_add(1, Ordering::Release);
        sys::futex_wake(self.word());
    }
}
