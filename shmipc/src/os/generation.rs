//! Which process of a line of forks this is. What remembers a generation belongs to the process
//! that had it: in a child of that one it is inherited, and of no use. What a child does about it
//! stands in [`super::fork`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// One more than the forks that lie between the first process and this one. It stands in the page
/// below, and here where the system gives no such page.
pub(super) static GENERATION: AtomicU32 = AtomicU32::new(1);
/// Where it is read: a word that is [`WIPED`] in a child that nobody prepared.
pub(super) static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new((&raw const GENERATION).cast_mut());

/// What the kernel makes of the word in a child; no generation.
pub(super) const WIPED: u32 = 0;
/// In a child that is just being prepared by one of its threads.
pub(super) const PREPARING: u32 = u32::MAX;
/// In a child that cannot be prepared: a thread of its parent held a lock when it was made.
pub(super) const SPOILED: u32 = u32::MAX - 1;
/// What a child does that finds out that nobody prepared it. Set before the word can be wiped.
pub(super) static PREPARE: OnceLock<fn() -> bool> = OnceLock::new();

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
    if let (WIPED, Some(prepare)) = (now, PREPARE.get()) {
        // The parent's locks go with the first use of what is the parent's.
        prepare();
    }
    true
}

#[inline]
pub(super) fn word() -> &'static AtomicU32 {
    // SYNC(fork-word): `arm` stores it. Relaxed: it is set before anything remembers a generation,
    // and a thread that learns of that learns of this too.
    // SAFETY: points to `GENERATION`, or to a page that is never unmapped (`wiped_page`).
    unsafe { &*WORD.load(Ordering::Relaxed) }
}

/// Is this a child that was not made by the C library's `fork`, and that is not prepared? Then no
/// lock of this module's may be waited for.
pub(crate) fn is_unprepared() -> bool {
    matches!(generation(), WIPED | PREPARING | SPOILED)
}
