//! What a forked child finds of its parent's segments.

use nix::libc;

use super::mapping::Mapping;
use crate::os;
use crate::os::fork::unless_held;
use crate::sync::{AtomicU64, Ordering};

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
        let mut child = -1;
        // Nothing has this identity: only the list's lock is held meanwhile.
        unless_held((u64::MAX, u64::MAX), || {
            // SAFETY: makes a child as `fork` does, but that the C library does not know of it. The
            // child forks and ends.
            child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
            if child == 0 {
                // SAFETY: ends a child that waits.
                unsafe { libc::alarm(2) };
                // SAFETY: the child's child ends at once, and so does it.
                let made = unsafe { libc::fork() };
                // SAFETY: ends this process.
                unsafe { libc::_exit(i32::from(made < 0)) };
            }
        });
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
