//! The mutex inside a `raw_sync` event, made robust: when its holder dies the kernel passes it on,
//! marked, to whoever locks it next.

use std::ptr::NonNull;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;

/// Tries to lock that only let others run; after them a try sleeps.
const YIELDS: u32 = 100;
/// Between two later tries.
const PAUSE: Duration = Duration::from_micros(50);

/// What a look at the mutex found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Free, or mended and free.
    Free,
    /// Somebody holds it.
    Held,
}

/// A process-shared robust mutex in a segment.
pub(super) struct RobustMutex(NonNull<libc::pthread_mutex_t>);

impl RobustMutex {
    /// Makes the mutex.
    ///
    /// # Safety
    /// `place` leads to a `pthread_mutex_t` that nobody holds or waits for.
    pub(super) unsafe fn make(place: NonNull<u8>) -> bool {
        // SAFETY: plain memory for the attributes, which `init` fills before anything reads it.
        let mut attributes: libc::pthread_mutexattr_t = unsafe { std::mem::zeroed() };
        let attributes = &raw mut attributes;
        let mutex = place.as_ptr().cast::<libc::pthread_mutex_t>();
        // SAFETY: `attributes` is valid and not yet initialised.
        let made = unsafe { libc::pthread_mutexattr_init(attributes) } == 0;
        // SAFETY: initialised just now.
        let shared = made
            && unsafe {
                libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED)
            } == 0;
        // SAFETY: as above.
        let robust = shared
            && unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) }
                == 0;
        // SAFETY: the mutex's memory is valid and unused (contract).
        robust && unsafe { libc::pthread_mutex_init(mutex, attributes) } == 0
    }

    /// # Safety
    /// [`make`](Self::make) made a mutex at `place`, which stays valid as long as this is used.
    pub(super) unsafe fn at(place: NonNull<u8>) -> Self {
        Self(place.cast())
    }

    pub(super) fn as_ptr(&self) -> *mut libc::pthread_mutex_t {
        self.0.as_ptr()
    }

    /// Locks it, a dead holder's too; `false`: it was held all the time. Not the system's own timed
    /// lock, which goes by the wall clock. A live holder keeps it for microseconds.
    pub(super) fn lock_within(&self, patience: Duration) -> bool {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            // SAFETY: a mutex (contract of `at`).
            match unsafe { libc::pthread_mutex_trylock(self.0.as_ptr()) } {
                0 => return true,
                libc::EOWNERDEAD => {
                    self.declare_whole();
                    return true;
                }
                libc::ENOTRECOVERABLE => self.make_anew(),
                libc::EBUSY => {}
                _ => return false,
            }
            if started.elapsed() >= patience {
                return false;
            }
            tries += 1;
            if tries < YIELDS { thread::yield_now() } else { thread::sleep(PAUSE) }
        }
    }

    /// Of a lock that passed from a dead holder to this thread: what it guards is whole.
    pub(super) fn declare_whole(&self) {
        // SAFETY: a mutex; answers with an error unless the lock is marked as a dead holder's.
        unsafe { libc::pthread_mutex_consistent(self.0.as_ptr()) };
    }

    /// Gives it back. For the thread that holds it.
    pub(super) fn unlock(&self) {
        // SAFETY: a robust mutex (contract of `at`): whoever does not hold it is told so.
        unsafe { libc::pthread_mutex_unlock(self.0.as_ptr()) };
    }

    /// Is it free? A dead holder's lock is taken over, mended and given back.
    pub(super) fn look(&self) -> Found {
        let mutex = self.0.as_ptr();
        // SAFETY: a mutex (contract of `at`).
        match unsafe { libc::pthread_mutex_trylock(mutex) } {
            0 => {
                // SAFETY: this thread holds it.
                unsafe { libc::pthread_mutex_unlock(mutex) };
                Found::Free
            }
            libc::EBUSY => Found::Held,
            libc::EOWNERDEAD => {
                self.mend();
                Found::Free
            }
            libc::ENOTRECOVERABLE => {
                self.make_anew();
                Found::Free
            }
            // No mutex at all: the ring is tried, and fails without harm.
            _ => Found::Free,
        }
    }

    /// Mends what a death left: if the lock passed to this thread, which the event takes for a
    /// failure, it is declared whole and given back; if it was given back unmended, the mutex is made
    /// anew, which is what POSIX prescribes for one that nobody can lock any more.
    pub(super) fn mend(&self) {
        let mutex = self.0.as_ptr();
        // SAFETY: a mutex; answers with an error unless the lock is marked as a dead holder's.
        if unsafe { libc::pthread_mutex_consistent(mutex) } == 0 {
            // SAFETY: the lock passed to this thread just before.
            unsafe { libc::pthread_mutex_unlock(mutex) };
            return;
        }
        // SAFETY: a mutex.
        match unsafe { libc::pthread_mutex_trylock(mutex) } {
            // SAFETY: this thread holds it.
            0 => drop(unsafe { libc::pthread_mutex_unlock(mutex) }),
            libc::EOWNERDEAD => {
                // SAFETY: the lock, marked, has just passed to this thread.
                unsafe { libc::pthread_mutex_consistent(mutex) };
                // SAFETY: this thread holds it.
                unsafe { libc::pthread_mutex_unlock(mutex) };
            }
            libc::ENOTRECOVERABLE => self.make_anew(),
            _ => {}
        }
    }

    /// To be called at the first answer "not recoverable": glibc's `trylock` keeps the lock word after
    /// it, so the next answer would be "held".
    fn make_anew(&self) {
        // SAFETY: nobody can hold or get a lock in this state.
        unsafe { Self::make(self.0.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(64))]
    struct Place([u8; 64]);

    /// A thread that dies with the lock stands for a process: the kernel treats both alike.
    fn hold_and_die(mutex: &RobustMutex) {
        let address = mutex.0.as_ptr() as usize;
        let thread = std::thread::spawn(move || {
            // SAFETY: the caller's mutex, which outlives this thread.
            unsafe { libc::pthread_mutex_lock(address as *mut libc::pthread_mutex_t) }
        });
        assert_eq!(thread.join().unwrap(), 0);
    }

    #[test]
    fn a_dead_holders_lock_is_taken_over_and_mended() {
        let mut place = Place([0; 64]);
        let address = NonNull::from(&mut place.0).cast();
        // SAFETY: fresh memory.
        assert!(unsafe { RobustMutex::make(address) });
        // SAFETY: made just now.
        let mutex = unsafe { RobustMutex::at(address) };
        assert_eq!(mutex.look(), Found::Free);
        for _ in 0..3 {
            hold_and_die(&mutex);
            assert_eq!(mutex.look(), Found::Free);
            assert_eq!(mutex.look(), Found::Free);
        }
    }

    #[test]
    fn a_lock_that_was_given_back_unmended_is_made_anew() {
        let mut place = Place([0; 64]);
        let address = NonNull::from(&mut place.0).cast();
        // SAFETY: fresh memory.
        assert!(unsafe { RobustMutex::make(address) });
        // SAFETY: made just now.
        let mutex = unsafe { RobustMutex::at(address) };
        hold_and_die(&mutex);
        // What an event's wait does with the dead holder's lock.
        // SAFETY: a mutex.
        assert_eq!(unsafe { libc::pthread_mutex_lock(mutex.0.as_ptr()) }, libc::EOWNERDEAD);
        // SAFETY: this thread holds it.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(mutex.0.as_ptr()) }, 0);
        // SAFETY: a mutex.
        let after = unsafe { libc::pthread_mutex_lock(mutex.0.as_ptr()) };
        assert_eq!(after, libc::ENOTRECOVERABLE);
        mutex.mend();
        assert_eq!(mutex.look(), Found::Free);
    }
}
