//! What a process can do to the sleepers on a word that it has mapped, besides waking them.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::libc;

/// A word of the attacker's own, which nobody ever wakes.
static PIT: AtomicU32 = AtomicU32::new(0);

/// Moves everybody who sleeps on `word` to a word that nobody wakes. Tells how many.
pub fn move_sleepers(word: &AtomicU32) -> i64 {
    // SAFETY: both words are valid for the call; the kernel only uses their addresses.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_REQUEUE,
            0,
            libc::c_long::from(i32::MAX),
            PIT.as_ptr(),
            0,
        )
    }
}

/// Makes `word` a lock of this thread's, in the kernel's eyes, and has another thread wait for it,
/// first in the queue: while it does, wake-ups on the word fail.
pub fn block_wake_ups(word: &AtomicU32, time: Duration, meanwhile: impl FnOnce()) {
    // SAFETY: takes nothing.
    let own = unsafe { libc::gettid() } as u32;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let end = now + time;
            let until = libc::timespec {
                tv_sec: end.as_secs() as libc::time_t,
                tv_nsec: end.subsec_nanos().into(),
            };
            // It fails where somebody sleeps there already, or rings in between.
            for _ in 0..100_000 {
                move_sleepers(word);
                word.store(own | libc::FUTEX_WAITERS, Ordering::SeqCst);
                // SAFETY: the word and the time are valid for the call.
                let waited = unsafe {
                    libc::syscall(
                        libc::SYS_futex,
                        word.as_ptr(),
                        libc::FUTEX_LOCK_PI,
                        0,
                        ptr::from_ref(&until),
                        ptr::null::<u32>(),
                        0,
                    )
                };
                let error = std::io::Error::last_os_error().raw_os_error();
                if waited == 0 || error == Some(libc::ETIMEDOUT) {
                    break;
                }
            }
        });
        meanwhile();
    });
}
