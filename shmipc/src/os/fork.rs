//! What a forked child must not keep of its parent's links. A child inherits descriptors and shared
//! pages: with the descriptors the locks that say "I live" ([`crate::os::liveness`]), so that a
//! parent could die unnoticed while its child lives; with the pages the means to say its parent's
//! goodbye.
//!
//! So the child's side of `fork` takes both away, before anything else runs in it: in the place of
//! each descriptor that holds locks stands one that holds none, and in the place of each segment's
//! pages stand private, empty ones. Nothing that the child still does with its copies of links and
//! servers reaches anybody, and [`is_inherited`] refuses it with an error of its own: one relaxed
//! load for each message.
//!
//! A child that is not made by the C library's `fork` (`_Fork`, `clone`) is seen by a word in a
//! page that the kernel wipes in any child. It gets the same as soon as it uses anything of this
//! library; until then it holds its parent's locks, and its parent's death is told by the parent's
//! pid alone. A child that executes another program at once (`posix_spawn`, `vfork`) needs none of
//! it: the descriptors close with it, and its parent's pages are not its own. One that shares its
//! parent's memory is no child in this sense, but a thread.

use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use nix::libc;

use super::descriptor::{put_in_place_of, spare_descriptor};
use super::file::FileFacts;
use super::generation::{
    GENERATION, PREPARE, PREPARING, SPOILED, WIPED, WORD, generation, is_inherited, is_unprepared,
    word,
};
use super::memory::{replace_by_empty_pages, wiped_page};
use super::watch::{self, Watcher};

/// Everything that a child must not keep. Whoever opens or closes such a descriptor holds the lock
/// meanwhile, and so does a fork: a child never gets one that is not listed.
static LISTED: Mutex<Vec<Listed>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Listed {
    file: RawFd,
    /// Device and inode of the file.
    identity: (u64, u64),
    /// The mapping's first address.
    start: usize,
    /// Its bytes.
    length: usize,
}

/// Makes of a child what `fork` would have made of it, as far as its parent's threads left the
/// locks free. `false`: it cannot be done.
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
    let held = match LISTED.try_lock() {
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
pub(crate) struct SegmentFile {
    /// Closed by `drop` alone.
    file: ManuallyDrop<OwnedFd>,
    generation: u32,
}

impl SegmentFile {
    /// Opens a segment so that no fork falls between. All others of this process that open or close
    /// segments, or fork, wait meanwhile: `open` must not wait for anybody.
    pub(crate) fn open<A: Area, E>(
        open: impl FnOnce() -> Result<(A, OwnedFd, FileFacts), E>,
    ) -> Result<(A, Self, FileFacts), E> {
        let mut held = lock();
        let (area, file, facts) = open()?;
        let (start, length) = (area.start(), area.length());
        held.push(Listed { file: file.as_raw_fd(), identity: facts.identity, start, length });
        Ok((area, Self { file: ManuallyDrop::new(file), generation: generation() }, facts))
    }

    /// Was it opened by a parent of this process?
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        is_inherited(self.generation)
    }

    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        // A child that was not prepared must not wait for a lock that a thread of its parent may
        // hold.
        let mut held = (!is_unprepared()).then(lock);
        if let Some(held) = held.as_mut() {
            held.retain(|entry| entry.file != self.file.as_raw_fd());
        }
        // Under the lock: a fork in between would keep it for the child.
        // SAFETY: here alone, and the field is not used again.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// Runs `examine`, which opens and closes the file of this identity, unless this process has it
/// open already: then closing another descriptor of it would take the process's signature away.
/// Nobody of this process opens segments meanwhile, so `examine` must not wait for anybody.
pub(crate) fn unless_held(identity: (u64, u64), examine: impl FnOnce()) {
    let held = lock();
    if !held.iter().any(|entry| entry.identity == identity) {
        examine();
    }
}

fn lock() -> MutexGuard<'static, Vec<Listed>> {
    // Nothing that runs under it leaves the list half changed.
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has forks noticed from now on. To be called before anything is opened that must be kept back.
pub(crate) fn arm() -> io::Result<()> {
    static ARMED: OnceLock<i32> = OnceLock::new();
    let code = *ARMED.get_or_init(|| {
        // Nobody set it before.
        let _ = PREPARE.set(prepare);
        if let Some(page) = wiped_page() {
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
            "this process was made by `_Fork` or `clone` while another thread was busy with a \
             link; make it with `fork`",
        ));
    }
    Ok(())
}

type Locks = (MutexGuard<'static, Vec<Listed>>, MutexGuard<'static, Watcher>);

/// The locks while a fork is on its way.
struct ForkLocks(UnsafeCell<Option<Locks>>);

// SAFETY: only touched by the thread that forks, between `before` and the handler that follows on
// either side, while it holds the locks (no two forks are there at the same time), or where it is
// the only thread.
unsafe impl Sync for ForkLocks {}

static FORK_LOCKS: ForkLocks = ForkLocks(UnsafeCell::new(None));

unsafe extern "C" fn before() {
    if is_unprepared() && !prepare() {
        // A thread of the parent's has a lock for ever. Whatever forks come of this are no more
        // prepared than this process.
        return;
    }
    let locks = (lock(), watch::lock());
    // SAFETY: the locks are held, see `ForkLocks`.
    unsafe { *FORK_LOCKS.0.get() = Some(locks) };
}

unsafe extern "C" fn in_parent() {
    if is_unprepared() {
        // `before` took none.
        return;
    }
    // SAFETY: the locks are held since `before`, see `ForkLocks`.
    let locks = unsafe { (*FORK_LOCKS.0.get()).take() };
    drop(locks);
}

/// Runs in the child, whose only thread is a copy of the one that forked: it holds the locks, if
/// `before` took them.
unsafe extern "C" fn in_child() {
    // SAFETY: there is no other thread, see `ForkLocks`.
    let_go(unsafe { (*FORK_LOCKS.0.get()).take() });
}

/// In a child: lets go of all that is its parent's, and counts it as one.
fn let_go(locks: Option<Locks>) {
    let Some((mut held, mut watcher)) = locks else { return };
    let spare = spare_descriptor().ok();
    for entry in held.iter() {
        // SAFETY: open, as who closes it takes it from the list under the same lock
        // (`SegmentFile::drop`); what it led to is the parent's (`is_inherited`).
        unsafe { put_in_place_of(spare.as_ref(), entry.file) };
        // SAFETY: the entry's segment is mapped there (`SegmentFile::open`; it is unlisted before
        // it is unmapped), it was shared memory, all of it atomics or checked bytes, so
        // that zeros are as good as anything; and no other thread looks at it.
        unsafe { replace_by_empty_pages(entry.start, entry.length) };
    }
    drop(spare);
    // Nothing is left to keep back: what comes under these numbers later is the child's own.
    held.clear();
    // Its thread stayed behind.
    watcher.forget_all();
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
    word().store(generation, Ordering::Release);
}
