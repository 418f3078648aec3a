//! What a forked child must not keep of its parent's links. A child inherits descriptors and shared
//! pages: with the descriptors the locks that say "I live" ([`crate::os::liveness`]), so that a parent
//! could die unnoticed while its child lives; with the pages the means to say its parent's goodbye.
//!
//! So the child's side of `fork` takes both away, before anything else runs in it: in the place of
//! each descriptor that holds locks stands one that holds none, and in the place of each segment's
//! pages stand private, empty ones. Nothing that the child still does with its copies of links and
//! servers reaches anybody, and [`is_inherited`] refuses it with an error of its own: one relaxed
//! load for each message.
//!
//! A child that is not made by the C library's `fork` (`_Fork`, `clone`) is seen by a word in a page
//! that the kernel wipes in any child. It gets the same as soon as it uses anything of this library;
//! until then it holds its parent's locks, and its parent's death is told by the parent's pid alone. A
//! child that executes another program at once (`posix_spawn`, `vfork`) needs none of it: the
//! descriptors close with it, and its parent's pages are not its own. One that shares its parent's
//! memory is no child in this sense, but a thread.

use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{PoisonError, TryLockError};

use nix::libc;

use crate::os::watch::{self, Watcher};
use crate::os::{self, FileFacts};
use crate::sync::real::{Mutex, MutexGuard, OnceLock};

/// One more than the forks that lie between the first process and this one. It stands in the page below,
/// and here where the system gives no such page.
static GENERATION: AtomicU32 = AtomicU32::new(1);
/// Where it is read: a word that is [`WIPED`] in a child that nobody prepared.
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new((&raw const GENERATION).cast_mut());

/// What the kernel makes of the word in a child; no generation.
const WIPED: u32 = 0;
/// In a child that is just being prepared by one of its threads.
const PREPARING: u32 = u32::MAX;
/// In a child that cannot be prepared: a thread of its parent held a lock when it was made.
const SPOILED: u32 = u32::MAX - 1;

/// Everything that a child must not keep. Whoever opens or closes such a descriptor holds the lock
/// meanwhile, and so does a fork: a child never gets one that is not listed.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Held {
    file: RawFd,
    /// Device and inode of the file.
    identity: (u64, u64),
    /// The mapping's first address.
    start: usize,
    /// Its bytes.
    length: usize,
}

/// What tells this process from its children and its parent.
pub(crate) fn generation() -> u32 {
    word().load(Ordering::Relaxed)
}

/// Was what remembers this generation made by a parent of this process?
#[inline]
pub(crate) fn is_inherited(generation: u32) -> bool {
    // Relaxed: the child's only thread is the one that counted; others of it came after.
    let now = word().load(Ordering::Relaxed);
    now != generation && found_inherited(now)
}

#[cold]
fn found_inherited(now: u32) -> bool {
    if now == WIPED {
        // The parent's locks go with the first use of what is the parent's.
        prepare();
    }
    true
}

#[inline]
fn word() -> &'static AtomicU32 {
    // SYNC(fork-word): `arm` stores it. Relaxed: it is set before anything remembers a generation, and a
    // thread that learns of that learns of this too.
    // SAFETY: points to `GENERATION`, or to a page that is never unmapped (`wiped_page`).
    unsafe { &*WORD.load(Ordering::Relaxed) }
}

/// Is this a child that was not made by the C library's `fork`, and that is not prepared? Then no lock of
/// this module's may be waited for.
pub(crate) fn is_unprepared() -> bool {
    matches!(generation(), WIPED | PREPARING | SPOILED)
}

/// Makes of a child what `fork` would have made of it, as far as its parent's threads left the locks
/// free. `false`: it cannot be done.
#[cold]
fn prepare() -> bool {
    let taken = word().compare_exchange(WIPED, PREPARING, Ordering::Acquire, Ordering::Acquire);
    match taken {
        Ok(_) => {}
        Err(PREPARING) => {
            while generation() == PREPARING {
                std::thread::yield_now();
            }
            return generation() != SPOILED;
        }
        Err(found) => return found != SPOILED,
    }
    let held = match HELD.try_lock() {
        Ok(held) => Some(held),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    let locks = held.and_then(|held| Some((held, watch::try_lock()?)));
    let is_free = locks.is_some();
    let_go(locks);
    if !is_free {
        word().store(SPOILED, Ordering::Release);
    }
    is_free
}

/// Where a segment is mapped.
pub(crate) trait Area {
    /// The first address.
    fn start(&self) -> usize;
    /// Bytes.
    fn length(&self) -> usize;
}

/// A descriptor whose locks a forked child does not keep, with the pages that go with it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Closed by `drop` alone.
    file: ManuallyDrop<OwnedFd>,
    generation: u32,
}

impl Kept {
    /// Opens a segment so that no fork falls between. All others of this process that open or close
    /// segments, or fork, wait meanwhile: `open` must not wait for anybody.
    pub(crate) fn open<A: Area, E>(
        open: impl FnOnce() -> Result<(A, OwnedFd, FileFacts), E>,
    ) -> Result<(A, Self, FileFacts), E> {
        let mut held = lock();
        let (area, file, facts) = open()?;
        let (start, length) = (area.start(), area.length());
        held.push(Held { file: file.as_raw_fd(), identity: facts.identity, start, length });
        Ok((area, Self { file: ManuallyDrop::new(file), generation: generation() }, facts))
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
        // A child that was not prepared must not wait for a lock that a thread of its parent may hold.
        let mut held = (!is_unprepared()).then(lock);
        if let Some(held) = held.as_mut() {
            held.retain(|entry| entry.file != self.file.as_raw_fd());
        }
        // Under the lock: a fork in between would keep it for the child.
        // SAFETY: here alone, and the field is not used again.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// Runs `examine`, which opens and closes the file of this identity, unless this process has it open already:
/// then closing another descriptor of it would take the process's signature away. Nobody of this process
/// opens segments meanwhile, so `examine` must not wait for anybody.
pub(crate) fn unless_held(identity: (u64, u64), examine: impl FnOnce()) {
    let held = lock();
    if !held.iter().any(|entry| entry.identity == identity) {
        examine();
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
        if let Some(page) = os::wiped_page() {
            page.store(GENERATION.load(Ordering::Relaxed), Ordering::Relaxed);
            // SYNC(fork-word): the page's generation comes before it.
            WORD.store(std::ptr::from_ref(page).cast_mut(), Ordering::Release);
        }
        // SAFETY: three functions that live as long as the program and meet the contract of fork's
        // handlers: see each.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) }
    });
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    if is_unprepared() && !prepare() {
        return Err(io::Error::other(
            "this process was made by `_Fork` or `clone` while another thread was busy with a link; \
             make it with `fork`",
        ));
    }
    Ok(())
}

type Locks = (MutexGuard<'static, Vec<Held>>, MutexGuard<'static, Watcher>);

/// The locks while a fork is on its way.
struct Taken(UnsafeCell<Option<Locks>>);

// SAFETY: only touched by the thread that forks, between `before` and the handler that follows on
// either side, while it holds the locks (no two forks are there at the same time), or where it is the
// only thread.
unsafe impl Sync for Taken {}

static TAKEN: Taken = Taken(UnsafeCell::new(None));

unsafe extern "C" fn before() {
    if is_unprepared() && !prepare() {
        // A thread of the parent's has a lock for ever. Whatever forks come of this are no more
        // prepared than this process.
        return;
    }
    let locks = (lock(), watch::lock());
    // SAFETY: the locks are held, see `Taken`.
    unsafe { *TAKEN.0.get() = Some(locks) };
}

unsafe extern "C" fn in_parent() {
    if is_unprepared() {
        // `before` took none.
        return;
    }
    // SAFETY: the locks are held since `before`, see `Taken`.
    let locks = unsafe { (*TAKEN.0.get()).take() };
    drop(locks);
}

/// Runs in the child, whose only thread is a copy of the one that forked: it holds the locks, if
/// `before` took them.
unsafe extern "C" fn in_child() {
    // SAFETY: there is no other thread, see `Taken`.
    let_go(unsafe { (*TAKEN.0.get()).take() });
}

/// In a child: lets go of all that is its parent's, and counts it as one.
fn let_go(locks: Option<Locks>) {
    let Some((mut held, mut watcher)) = locks else { return };
    let stand_in = os::open_nothing();
    for entry in held.iter() {
        os::put_in_place_of(stand_in, entry.file);
        // SAFETY: the entry's segment is mapped there (`Kept::open`; it is unlisted before it is
        // unmapped), it was shared memory, all of it atomics or checked bytes, so that zeros are as
        // good as anything; and no other thread looks at it.
        unsafe { os::replace_by_empty_pages(entry.start, entry.length) };
    }
    os::close_nothing(stand_in);
    // Nothing is left to keep back: what comes under these numbers later is the child's own.
    held.clear();
    // Its thread stayed behind.
    watcher.forget_all();
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
    word().store(generation, Ordering::Release);
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

    /// It waited for a lock that nobody has in that process.
    #[test]
    fn a_child_that_fork_did_not_make_can_fork() {
        let name = format!("shmipc.test.{:032x}", os::random_u128().unwrap());
        let mapping = Mapping::create(&name, 4096, 0).unwrap();
        mapping.unlink();
        // The C library's own locks may have been taken by other tests' threads: then again.
        let forked = (0..10).any(|_| {
            let held = lock();
            // SAFETY: makes a child as `fork` does, but that the C library does not know of it. The child
            // forks and ends.
            let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
            if child == 0 {
                // SAFETY: ends a child that waits.
                unsafe { libc::alarm(2) };
                // SAFETY: the child's child ends at once, and so does it.
                let made = unsafe { libc::fork() };
                // SAFETY: ends this process.
                unsafe { libc::_exit(i32::from(made < 0)) };
            }
            drop(held);
            let mut status = 0;
            // SAFETY: the child was made above; `status` is valid for the call.
            unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) };
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        });
        assert!(forked, "no child came out of `fork`");
    }

    #[test]
    fn a_child_finds_empty_pages_and_no_locks_and_writes_to_nobody() {
        let name = format!("shmipc.test.{:032x}", os::random_u128().unwrap());
        let mapping = Mapping::create(&name, 8192, 0).unwrap();
        mapping.unlink();
        let word = mapping.place::<AtomicU64>(4096).unwrap();
        // SAFETY: `place` checked the bounds; an atomic.
        let word = unsafe { word.as_ref() };
        word.store(7, Ordering::Relaxed);
        let empty = in_a_child(|| {
            let was = word.swap(9, Ordering::Relaxed);
            was == 0 && mapping.is_inherited() && os::try_lock_byte(mapping.file(), 5).is_err()
        });
        assert!(empty);
        assert!(!mapping.is_inherited());
        assert_eq!(word.load(Ordering::Relaxed), 7, "the child wrote to its parent's pages");
        assert!(os::try_lock_byte(mapping.file(), 5).unwrap());
    }
}
