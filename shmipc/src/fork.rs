//! What a forked child must not keep of its parent's links. A child inherits descriptors and shared
//! pages: with the descriptors the locks that say "I live" ([`crate::liveness`]), so that a parent
//! could die unnoticed while its child lives; with the pages the means to say its parent's goodbye.
//!
//! So the child's side of `fork` takes both away, before anything else runs in it: in the place of
//! each descriptor that holds locks stands one that holds none, and in the place of each segment's
//! pages stand private, empty ones. Nothing that the child still does with its copies of links and
//! servers reaches anybody, and [`is_inherited`] refuses it with an error of its own: one relaxed
//! load for each message.
//!
//! A child made by a bare `clone` system call, past the C library, gets none of this. A child that
//! executes another program at once (`posix_spawn`, `vfork`) needs none: the descriptors close with
//! it, and its parent's pages are not its own.

use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc;
use shared_memory::Shmem;

use crate::sync::real::{Mutex, MutexGuard, OnceLock};
use crate::sys;
use crate::watch::{self, Watcher};

/// How many forks lie between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Everything that a child must not keep. Whoever opens or closes such a descriptor holds the lock
/// meanwhile, and so does a fork: a child never gets one that is not listed.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Held {
    file: RawFd,
    /// The mapping's first address.
    start: usize,
    /// Its bytes.
    length: usize,
}

/// What tells this process from its children and its parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Was what remembers this generation made by a parent of this process?
#[inline]
pub(crate) fn is_inherited(generation: u32) -> bool {
    // Relaxed: the child's only thread is the one that counted; others of it came after.
    GENERATION.load(Ordering::Relaxed) != generation
}

/// A descriptor whose locks a forked child does not keep, with the pages that go with it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Closed by `drop` alone.
    file: ManuallyDrop<OwnedFd>,
    generation: u32,
}

impl Kept {
    /// Opens a segment so that no fork falls between.
    pub(crate) fn open<E>(
        open: impl FnOnce() -> Result<(Shmem, OwnedFd), E>,
    ) -> Result<(Shmem, Self), E> {
        let mut held = lock();
        let (shmem, file) = open()?;
        let start = shmem.as_ptr().addr();
        held.push(Held { file: file.as_raw_fd(), start, length: shmem.len() });
        Ok((shmem, Self { file: ManuallyDrop::new(file), generation: generation() }))
    }

    /// Was it opened by a parent of this process?
    pub(crate) fn is_inherited(&self) -> bool {
        is_inherited(self.generation)
    }

    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut held = lock();
        held.retain(|entry| entry.file != self.file.as_raw_fd());
        // Under the lock: a fork in between would keep it for the child.
        // SAFETY: here alone, and the field is not used again.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

fn lock() -> MutexGuard<'static, Vec<Held>> {
    // Nothing that runs under it leaves the list half changed.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has forks noticed from now on. To be called before anything is opened that must be kept back.
pub(crate) fn arm() -> io::Result<()> {
    static ARMED: OnceLock<i32> = OnceLock::new();
    let code = *ARMED.get_or_init(|| {
        // SAFETY: three functions that live as long as the program and meet the contract of fork's
        // handlers: see each.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) }
    });
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

type Locks = (MutexGuard<'static, Vec<Held>>, MutexGuard<'static, Watcher>);

/// The locks while a fork is on its way.
struct Taken(UnsafeCell<Option<Locks>>);

// SAFETY: only touched by the thread that forks, between `before` and the handler that follows on
// either side, while it holds the locks: no two forks are there at the same time.
unsafe impl Sync for Taken {}

static TAKEN: Taken = Taken(UnsafeCell::new(None));

unsafe extern "C" fn before() {
    let locks = (lock(), watch::lock());
    // SAFETY: the locks are held, see `Taken`.
    unsafe { *TAKEN.0.get() = Some(locks) };
}

unsafe extern "C" fn in_parent() {
    // SAFETY: the locks are held since `before`, see `Taken`.
    let locks = unsafe { (*TAKEN.0.get()).take() };
    drop(locks);
}

/// Runs in the child, whose only thread is a copy of the one that forked: it holds the locks.
unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the locks are held since `before`, see `Taken`.
    let locks = unsafe { (*TAKEN.0.get()).take() };
    let Some((mut held, mut watcher)) = locks else { return };
    let stand_in = sys::open_nothing();
    for entry in held.iter() {
        sys::put_in_place_of(stand_in, entry.file);
        // SAFETY: the entry's segment is mapped there (`Kept::open`; it is unlisted before it is
        // unmapped), it was shared memory, all of it atomics or checked bytes, so that zeros are as
        // good as anything; and no other thread looks at it.
        unsafe { sys::replace_by_empty_pages(entry.start, entry.length) };
    }
    sys::close_nothing(stand_in);
    // Nothing is left to keep back: what comes under these numbers later is the child's own.
    held.clear();
    // Its thread stayed behind.
    watcher.forget_all();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::segment::Mapping;
    use crate::sync::AtomicU64;

    /// The child's exit code says what it found; it does nothing that needs other threads.
    fn in_a_child(look: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child looks at memory and ends, at once and past everything else.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = if look() { 0 } else { 1 };
            // SAFETY: ends this process.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: the child was made above; `status` is valid for the call.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }

    #[test]
    fn a_child_finds_empty_pages_and_no_locks_and_writes_to_nobody() {
        let name = format!("shmipc.test.{:032x}", sys::random_u128().unwrap());
        let mapping = Mapping::create(&name, 8192, 0).unwrap();
        mapping.unlink();
        let word = mapping.place::<AtomicU64>(4096).unwrap();
        // SAFETY: `place` checked the bounds; an atomic.
        let word = unsafe { word.as_ref() };
        word.store(7, Ordering::Relaxed);
        let empty = in_a_child(|| {
            let was = word.swap(9, Ordering::Relaxed);
            was == 0 && mapping.is_inherited() && sys::try_lock_byte(mapping.file(), 5).is_err()
        });
        assert!(empty);
        assert!(!mapping.is_inherited());
        assert_eq!(word.load(Ordering::Relaxed), 7, "the child wrote to its parent's pages");
        assert!(sys::try_lock_byte(mapping.file(), 5).unwrap());
    }
}
