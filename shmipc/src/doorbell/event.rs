//! The portable doorbell: `raw_sync`'s auto-reset event, a process-shared mutex and condition
//! variable.
//!
//! Its limits, and what is done about each:
//! - Its mutex is not robust: a process killed while it holds it, which is likely in the middle of
//!   the wake-up's system call, blocks everybody else for good, even inside a bounded wait. So the
//!   mutex is made again as a robust one in the same place ([`robust`]): a dead holder's lock passes
//!   on, and what the event itself cannot mend is mended here.
//! - A process *stopped* while it holds the mutex, for some nanoseconds of a ring or of going to
//!   sleep, delays others until it goes on. A sleep waits for the mutex no longer than it may last,
//!   and a ring waits only a moment and then leaves the sleeper to the end of its bounded sleep. What
//!   remains is a stop in those nanoseconds between the look and the ring itself, or while a sleeper
//!   takes the mutex again: the price of this kind, and why the futex is the default.
//! - It waits by the wall clock, with a deadline whose fractions are added without carrying. So its
//!   condition variable is made again too, and waited for on the monotonic clock ([`monotonic`]).
//! - The memory is used by the system's own code, which trusts it. A server takes links with this
//!   kind only if its own builder chose it.

mod monotonic;
mod robust;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use monotonic::{Condition, Waited};
use raw_sync::events::{Event, EventImpl, EventInit, EventState};
use robust::{Found, RobustMutex};

/// The longest that a ring waits for the event's mutex, which a live holder keeps for microseconds.
const RING_PATIENCE: Duration = Duration::from_millis(2);
/// A sleep that failed at once is made up for by so much, so that nobody spins on a broken event.
const BROKEN_PAUSE: Duration = Duration::from_micros(500);

pub(super) struct EventBell {
    event: Box<dyn EventImpl>,
    /// The event's own mutex.
    mutex: RobustMutex,
    /// The event's own condition variable.
    condition: Condition,
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: all are pointers to a process-shared mutex and condition variable, which any thread may
// use, in memory that `_owner` keeps alive.
unsafe impl Send for EventBell {}
// SAFETY: as above.
unsafe impl Sync for EventBell {}

impl EventBell {
    /// # Safety
    /// [`super::EVENT_LENGTH`] zeroed bytes at `place`, aligned to 128, that nobody else uses yet.
    pub(super) unsafe fn initialise(place: NonNull<u8>) -> bool {
        if Event::size_of(Some(place.as_ptr())) > super::EVENT_LENGTH {
            return false;
        }
        // SAFETY: the place is large enough (checked), aligned and unused (contract).
        let made = unsafe { Event::new(place.as_ptr(), true) }.is_ok();
        // SAFETY: an event begins with its mutex, which nobody uses yet.
        let robust = made && unsafe { RobustMutex::make(place) };
        // SAFETY: an event that nobody uses yet.
        robust && unsafe { Condition::make(place) }
    }

    /// # Safety
    /// An event was initialised at `place`, which stays valid while `owner` lives, and only this type
    /// uses it.
    pub(super) unsafe fn attach(
        place: NonNull<u8>,
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Option<Self> {
        // SAFETY: contract.
        let (event, _) = unsafe { Event::from_existing(place.as_ptr()) }.ok()?;
        // SAFETY: contract; an event begins with its mutex.
        let mutex = unsafe { RobustMutex::at(place) };
        // SAFETY: contract; `initialise` made it anew.
        let condition = unsafe { Condition::at(place) }?;
        Some(Self { event, mutex, condition, _owner: owner })
    }

    pub(super) fn sleep(&self, timeout: Duration) {
        let started = Instant::now();
        if self.condition.wait(&self.mutex, timeout) == Waited::Failed {
            let missing = timeout.saturating_sub(started.elapsed());
            thread::sleep(missing.min(BROKEN_PAUSE));
        }
    }

    pub(super) fn ring(&self) {
        let started = Instant::now();
        while self.mutex.look() == Found::Held {
            if started.elapsed() > RING_PATIENCE {
                return;
            }
            thread::yield_now();
        }
        if self.event.set(EventState::Signaled).is_err() {
            // The sleeper finds out at the end of its bounded sleep.
            self.mutex.mend();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_fits_its_place() {
        #[repr(align(128))]
        struct Place([u8; super::super::EVENT_LENGTH]);
        let mut place = Place([0; super::super::EVENT_LENGTH]);
        // SAFETY: fresh and aligned.
        assert!(unsafe { EventBell::initialise(NonNull::from(&mut place.0).cast()) });
    }
}
