//! The waiting half of a `raw_sync` event, on the monotonic clock. The event's own wait goes by the
//! wall clock, and lasts longer by what that is set back meanwhile: an hour, if it is an hour. So the
//! condition variable is made again in the same place, to go by the monotonic clock, and waited for
//! from here. Ringing stays the event's.

use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use nix::libc;
use raw_sync::events::{Event, EventInit, EventState};

use super::robust::RobustMutex;

/// An event is its mutex, its condition variable, then two flags of a byte: "resets itself" and
/// "is set". Which of the two is which is found out by [`flag_index`].
const CONDITION_OFFSET: usize = size_of::<libc::pthread_mutex_t>().next_multiple_of(8);
const FLAGS_OFFSET: usize = CONDITION_OFFSET + size_of::<libc::pthread_cond_t>();
const _: () = assert!(FLAGS_OFFSET + 2 <= super::super::EVENT_LENGTH);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The event was set; it is not any more.
    Rung,
    TimedOut,
    /// The system refused to wait.
    Failed,
}

/// An event's condition variable and flag.
pub(super) struct Condition {
    condition: NonNull<libc::pthread_cond_t>,
    is_set: NonNull<u8>,
}

impl Condition {
    /// Makes the condition variable anew.
    ///
    /// # Safety
    /// `place` leads to an event that nobody uses yet.
    pub(super) unsafe fn make(place: NonNull<u8>) -> bool {
        // SAFETY: plain memory for the attributes, which `init` fills before anything reads it.
        let mut attributes: libc::pthread_condattr_t = unsafe { std::mem::zeroed() };
        let attributes = &raw mut attributes;
        // SAFETY: inside the event (contract, and the offset's assertion).
        let condition = unsafe { place.add(CONDITION_OFFSET) }.cast().as_ptr();
        // SAFETY: `attributes` is valid and not yet initialised.
        let made = unsafe { libc::pthread_condattr_init(attributes) } == 0;
        // SAFETY: initialised just now.
        let shared = made
            && unsafe {
                libc::pthread_condattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED)
            } == 0;
        // SAFETY: as above.
        let monotonic = shared
            && unsafe { libc::pthread_condattr_setclock(attributes, libc::CLOCK_MONOTONIC) } == 0;
        // SAFETY: the condition variable's memory is valid and unused (contract).
        monotonic && unsafe { libc::pthread_cond_init(condition, attributes) } == 0
    }

    /// `None`: this build of `raw_sync` keeps its events in another way.
    ///
    /// # Safety
    /// [`make`](Self::make) was called for `place`, which stays valid as long as this is used.
    pub(super) unsafe fn at(place: NonNull<u8>) -> Option<Self> {
        let index = flag_index()?;
        Some(Self {
            // SAFETY: inside the event (contract, and the offset's assertion).
            condition: unsafe { place.add(CONDITION_OFFSET) }.cast(),
            // SAFETY: as above; the index is below two.
            is_set: unsafe { place.add(FLAGS_OFFSET + index) },
        })
    }

    /// Waits until the event is set, and takes that back, or until the time-out.
    pub(super) fn wait(&self, mutex: &RobustMutex, timeout: Duration) -> Waited {
        let until = from_now(timeout);
        // Stopped while it holds the mutex, a process must not keep this one beyond its time.
        if !mutex.lock_within(timeout) {
            return Waited::TimedOut;
        }
        let mut failed = None;
        // SAFETY: inside the event (contract of `at`); written under the mutex alone.
        while failed.is_none() && unsafe { self.is_set.as_ptr().read_volatile() } == 0 {
            // SAFETY: both belong to one event (contract of `at`), and this thread holds the mutex.
            let answer = unsafe {
                libc::pthread_cond_timedwait(
                    self.condition.as_ptr(),
                    mutex.as_ptr(),
                    &raw const until,
                )
            };
            match answer {
                0 => {}
                libc::ETIMEDOUT => failed = Some(Waited::TimedOut),
                // The lock, marked, has just passed to this thread.
                libc::EOWNERDEAD => mutex.declare_whole(),
                // Nobody has the lock: nothing to give back.
                libc::ENOTRECOVERABLE => {
                    mutex.mend();
                    return Waited::Failed;
                }
                _ => failed = Some(Waited::Failed),
            }
        }
        if failed.is_none() {
            // SAFETY: as above.
            unsafe { self.is_set.as_ptr().write_volatile(0) };
        }
        mutex.unlock();
        failed.unwrap_or(Waited::Rung)
    }
}

/// The time on the monotonic clock, so long from now.
fn from_now(timeout: Duration) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the answer; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let nanos = now.tv_nsec + i64::from(timeout.subsec_nanos());
    let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
    libc::timespec {
        tv_sec: now.tv_sec.saturating_add(seconds).saturating_add(nanos / 1_000_000_000),
        tv_nsec: nanos % 1_000_000_000,
    }
}

/// Which of an event's two flags says that it is set. The compiler chose, so an event is asked that
/// nobody else has.
fn flag_index() -> Option<usize> {
    static INDEX: OnceLock<Option<usize>> = OnceLock::new();
    #[repr(align(128))]
    struct Scratch([u8; super::super::EVENT_LENGTH]);
    *INDEX.get_or_init(|| {
        let mut scratch = Scratch([0; super::super::EVENT_LENGTH]);
        let place = scratch.0.as_mut_ptr();
        // SAFETY: inside `scratch`.
        let flags = unsafe { place.add(FLAGS_OFFSET) }.cast::<[u8; 2]>();
        // SAFETY: as above; read each time anew, as the event writes through the same pointer.
        let flags = || unsafe { flags.read_volatile() };
        // SAFETY: fresh, aligned, and large enough (`EventBell::initialise` checks the same size).
        let (event, _) = unsafe { Event::new(place, true) }.ok()?;
        let before = flags();
        event.set(EventState::Signaled).ok()?;
        match (before, flags()) {
            ([1, 0], [1, 1]) => Some(1),
            ([0, 1], [1, 1]) => Some(0),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_found() {
        assert!(flag_index().is_some());
    }

    #[test]
    fn a_time_from_now_carries() {
        for nanos in [0, 1, 500_000_000, 999_999_999] {
            let until = from_now(Duration::new(1, nanos));
            assert!((0..1_000_000_000).contains(&until.tv_nsec), "{until:?}");
        }
        assert_eq!(from_now(Duration::MAX).tv_sec, i64::MAX);
    }
}
