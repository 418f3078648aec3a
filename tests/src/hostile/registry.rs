//! A server's registry in an attacker's hands.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::layout::{self, registry};
use super::raw::Raw;

/// The registry of a live server.
#[derive(Debug)]
pub struct Registry {
    pub raw: Raw,
}

/// The file of a server's registry.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/shmipc.r.{name}", layout::DIRECTORY))
}

impl Registry {
    /// Opens it by its server's name.
    ///
    /// # Errors
    /// There is none.
    pub fn open(name: &str) -> io::Result<Self> {
        Ok(Self { raw: Raw::open(&path(name))? })
    }

    /// Where a slot lies.
    #[must_use]
    pub fn slot(index: usize) -> usize {
        registry::SLOTS + index * registry::SLOT_LENGTH
    }

    /// Claims a free slot.
    #[must_use]
    pub fn claim(&self) -> Option<usize> {
        (0..registry::SLOT_COUNT)
            .find(|index| self.raw.lock(registry::FIRST_SLOT_BYTE + *index as i64))
    }

    /// Gives a slot back.
    pub fn release(&self, index: usize) {
        self.raw.set32(Self::slot(index) + registry::SLOT_REQUEST, 0);
        self.raw.unlock(registry::FIRST_SLOT_BYTE + index as i64);
    }

    /// Names a link in a slot and calls the server.
    pub fn offer(&self, index: usize, id: u128) {
        let slot = Self::slot(index);
        self.raw.set64(slot + registry::SLOT_LINK, (id >> 64) as u64);
        self.raw.set64(slot + registry::SLOT_LINK + 8, id as u64);
        self.raw.set32(slot + registry::SLOT_REQUEST, registry::READY_REQUEST);
        self.summon(registry::HAND_OVER);
    }

    /// The answer to that link, once it is there.
    #[must_use]
    pub fn answer(&self, index: usize, id: u128) -> Option<u32> {
        let slot = Self::slot(index);
        let high = self.raw.get64(slot + registry::SLOT_ANSWERED);
        let low = self.raw.get64(slot + registry::SLOT_ANSWERED + 8);
        let answered = u128::from(high) << 64 | u128::from(low);
        (answered == id).then(|| self.raw.get32(slot + registry::SLOT_ANSWER))
    }

    /// Has the server look at a link.
    pub fn mark_ready(&self, link: usize) {
        if link / 64 < registry::READY_WORDS {
            let word = self.raw.word64(registry::READY + link / 64 * 8);
            word.fetch_or(1 << (link % 64), Ordering::SeqCst);
            self.summon(1 << (link / 64));
        }
    }

    fn summon(&self, bit: u64) {
        self.raw.word64(registry::READY_SUMMARY).fetch_or(bit, Ordering::SeqCst);
        self.raw.ring(registry::BELL);
    }
}
