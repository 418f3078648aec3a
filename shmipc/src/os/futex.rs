//! Sleeping on words, and waking who sleeps.

use std::sync::atomic::AtomicU32 as OwnWord;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use crate::sync::AtomicU32;
#[cfg(loom)]
pub(crate) use crate::sync::futex_wake;

/// How a sleep ended, as far as the kernel told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Its time was up.
    ByTime,
    /// A wake-up, a signal, or no sleep at all.
    Sooner,
}

/// How a sleep ended whose call gave `result`.
#[cfg(not(loom))]
fn woken(result: libc::c_long) -> Woken {
    if result < 0 && Errno::last() == Errno::ETIMEDOUT { Woken::ByTime } else { Woken::Sooner }
}

/// Sleeps while `word` is `expected`, until a wake-up, a signal, or the time-out on the monotonic
/// clock.
#[cfg(not(loom))]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) -> Woken {
    let timeout = super::machine::timespec(timeout);
    // SAFETY: `word` and `timeout` are valid for the whole call. Without FUTEX_PRIVATE_FLAG the
    // kernel finds the word by its page, so other processes' wake-ups arrive. The other failures
    // (EAGAIN, EINTR) mean the same to the caller as a wake-up: look again.
    woken(unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const timeout,
            std::ptr::null::<u32>(),
            0,
        )
    })
}

/// In models: without a bound, so that a lost wake-up is a deadlock.
#[cfg(loom)]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, _: Duration) -> Woken {
    crate::sync::futex_wait(word, expected);
    Woken::Sooner
}

/// One word of several to sleep on, as `futex_waitv` takes it.
#[cfg(not(loom))]
#[repr(C)]
struct Waiter {
    expected: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// A time as calls take it that came after 2038 was thought of.
#[cfg(not(loom))]
#[repr(C)]
struct WideTime {
    seconds: i64,
    nanoseconds: i64,
}

/// As [`futex_wait`], and also no longer than a word of this process, `own`, is `own_expected`.
/// Where the kernel cannot do that (before Linux 5.16, or where a filter keeps it from us) rings of
/// `own` are heard after the time-out.
#[cfg(not(loom))]
pub(crate) fn futex_wait_both(
    word: &AtomicU32,
    expected: u32,
    own: &OwnWord,
    own_expected: u32,
    timeout: Duration,
) -> Woken {
    use std::sync::atomic::{AtomicBool, Ordering};
    static LACKING: AtomicBool = AtomicBool::new(false);
    /// Of 32 bits.
    const SIZE: u32 = 2;
    const PRIVATE: u32 = libc::FUTEX_PRIVATE_FLAG as u32;
    if LACKING.load(Ordering::Relaxed) {
        return futex_wait(word, expected, timeout);
    }
    let waiter = |address: *mut u32, expected: u32, flags| Waiter {
        expected: expected.into(),
        address: address.expose_provenance() as u64,
        flags,
        reserved: 0,
    };
    let waiters =
        [waiter(word.as_ptr(), expected, SIZE), waiter(own.as_ptr(), own_expected, SIZE | PRIVATE)];
    let until = monotonic_now().saturating_add(timeout);
    let until = WideTime {
        seconds: i64::try_from(until.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: until.subsec_nanos().into(),
    };
    // SAFETY: the list, both words and the time are valid for the whole call, which changes none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            &raw const until,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Woken::Sooner;
    }
    match Errno::last() {
        Errno::ETIMEDOUT => Woken::ByTime,
        Errno::EAGAIN | Errno::EINTR => Woken::Sooner,
        error => {
            let lacks = matches!(error, Errno::ENOSYS | Errno::EPERM | Errno::EACCES);
            LACKING.fetch_or(lacks, Ordering::Relaxed);
            futex_wait(word, expected, timeout)
        }
    }
}

#[cfg(loom)]
pub(crate) fn futex_wait_both(
    word: &AtomicU32,
    expected: u32,
    _: &OwnWord,
    _: u32,
    timeout: Duration,
) -> Woken {
    futex_wait(word, expected, timeout)
}

/// The monotonic clock's time.
#[cfg(not(loom))]
fn monotonic_now() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Wakes everybody of this process who sleeps on a word of its own.
pub(crate) fn futex_wake_own(word: &OwnWord) {
    // SAFETY: `word` is valid for the call; the kernel only uses its address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
            std::ptr::null::<libc::timespec>(),
            std::ptr::null::<u32>(),
            0,
        );
    }
}

/// Wakes everybody who sleeps on `word`, in any process.
#[cfg(not(loom))]
pub(crate) fn futex_wake(word: &AtomicU32) {
    // SAFETY: `word` is valid for the call; the kernel only uses its address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            i32::MAX,
            std::ptr::null::<libc::timespec>(),
            std::ptr::null::<u32>(),
            0,
        );
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_futex_whose_word_changed_does_not_sleep_and_a_quiet_one_times_out() {
        let word = AtomicU32::new(1);
        let own = OwnWord::new(7);
        let hour = Duration::from_secs(3600);
        assert_eq!(futex_wait(&word, 0, hour), Woken::Sooner);
        assert_eq!(futex_wait_both(&word, 0, &own, 7, hour), Woken::Sooner);
        futex_wait(&word, 1, Duration::from_millis(1));
        futex_wait_both(&word, 1, &own, 7, Duration::from_millis(1));
        futex_wake(&word);
    }
}
