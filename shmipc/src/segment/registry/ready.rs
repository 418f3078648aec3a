//! Ready bits: which links want to be looked at by the server's listener, and whether it sleeps.

use super::bind::Registry;
use super::memory::{HAND_OVER_BIT, READY_WORDS, RegistryMemory};
use crate::segment::doorbell::{Bell, Sleeper};
use crate::sync::{Fault, Ordering, broken, fence};

impl Registry {
    /// Is anything ready? One load, for the spinning listener.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.memory().ready_summary.load(Ordering::Relaxed) != 0
    }

    /// Takes all ready bits: calls `link` with the index of each link that wants to be looked at.
    /// Tells whether a slot was made ready too.
    pub(crate) fn take_ready(&self, mut link: impl FnMut(usize)) -> bool {
        let memory = self.memory();
        // SYNC(ready): what the client published before it set its bit is visible after this.
        let summary = memory.ready_summary.swap(0, Ordering::Acquire);
        for word in (0..READY_WORDS).filter(|word| summary & (1 << word) != 0) {
            let mut bits = memory.ready[word].swap(0, Ordering::Acquire);
            while bits != 0 {
                link(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        summary & HAND_OVER_BIT != 0
    }

    /// Has the listener look at a link, from another thread of the server.
    pub(crate) fn mark_ready(&self, index: usize) {
        mark_ready(self.memory(), self.bell(), index);
    }
}

/// The listener, which looks for ready bits once more before it sleeps.
impl Sleeper for &Registry {
    fn announce(&mut self) {
        self.memory().listener_waits.store(1, Ordering::Relaxed);
        // SYNC(listener-waits): orders the store before the look at the ready bits that follows.
        fence(Ordering::SeqCst);
    }

    fn withdraw(&mut self) {
        self.memory().listener_waits.store(0, Ordering::Relaxed);
    }
}

/// Sets a link's ready bit and wakes the listener if it sleeps.
pub(super) fn mark_ready(memory: &RegistryMemory, bell: &Bell, index: usize) {
    let (word, bit) = (index / 64, index % 64);
    if let Some(ready) = memory.ready.get(word).filter(|_| word < READY_WORDS) {
        if broken(Fault::SummaryFirst) {
            summon(memory, bell, 1 << word);
        }
        // SYNC(ready): what this side published before is visible to who takes the bit.
        ready.fetch_or(1 << bit, Ordering::Release);
        crate::step::reach("ring.marked");
        if !broken(Fault::SummaryFirst) {
            summon(memory, bell, 1 << word);
        }
    }
}

/// Sets a bit of the summary and wakes the listener if it sleeps.
pub(super) fn summon(memory: &RegistryMemory, bell: &Bell, summary_bit: u64) {
    memory.ready_summary.fetch_or(summary_bit, Ordering::Release);
    // SYNC(listener-waits): orders the bit before the load.
    fence(Ordering::SeqCst);
    if memory.listener_waits.load(Ordering::Relaxed) != 0 {
        bell.ring();
    }
}
