//! Raw shared memory for the limits.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use bench_kit::End;
use memmap2::{MmapOptions, MmapRaw};

/// A file in shared memory, mapped by both sides; the first comer makes it.
#[derive(Debug)]
pub(super) struct Shared(MmapRaw);

impl Shared {
    /// Maps `path`, made `length` bytes long.
    pub(super) fn map(path: &Path, length: usize) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        file.set_len(length as u64).context("cannot size shared memory")?;
        let map = MmapOptions::new().len(length).populate().map_raw(&file);
        Ok(Self(map.context("cannot map shared memory")?))
    }

    /// Where it is mapped: at the start of a page.
    pub(super) fn base(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// How a limit waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// It looks without end.
    Spin,
    /// It sleeps at once.
    Futex,
}

impl Waiter {
    /// Waits until `word` is no longer `old`; what it is then, or `None` at the end of the side.
    #[inline]
    pub(super) fn wait(self, word: &AtomicU32, old: u32, end: &End) -> Option<u32> {
        loop {
            for _ in 0..1_000 {
                let new = word.load(Ordering::Acquire);
                if new != old {
                    return Some(new);
                }
                match self {
                    Self::Spin => std::hint::spin_loop(),
                    Self::Futex => futex_wait(word, old),
                }
            }
            if end.has_come() {
                return None;
            }
        }
    }

    /// Tells the other side about a new value of `word`.
    #[inline]
    pub(super) fn set(self, word: &AtomicU32, new: u32) {
        word.store(new, Ordering::Release);
        if self == Self::Futex {
            futex_wake(word);
        }
    }
}

fn futex_wait(word: &AtomicU32, old: u32) {
    // SAFETY: the word outlives the call, and without a time-out no other pointer is read. Every
    // way in which the call ends leads to another look at the word.
    unsafe {
        nix::libc::syscall(
            nix::libc::SYS_futex,
            word.as_ptr(),
            nix::libc::FUTEX_WAIT,
            old,
            std::ptr::null::<nix::libc::timespec>(),
        );
    }
}

fn futex_wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call, which reads no other pointer.
    unsafe {
        nix::libc::syscall(nix::libc::SYS_futex, word.as_ptr(), nix::libc::FUTEX_WAKE, 1);
    }
}
