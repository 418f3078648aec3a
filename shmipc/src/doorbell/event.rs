//! The portable doorbell: `raw_sync`'s auto-reset event, a process-shared mutex and condition
//! variable.
//!
//! Its limits, and what is done about each:
//! - Its mutex is not robust: a process killed while it holds it, which is likely in the middle of
//!   the wake-up's system call, blocks everybody else for good, even inside a bounded wait. So the
//!   mutex is made again as a robust one in the same place ([`robust`]): a dead holder's lock passes
//!   on, and what the event itself cannot mend is mended here.
//! - A process *stopped* while it holds the mutex delays others until it goes on. A ring waits only
//!   a moment for the mutex and then leaves the sleeper to the end of its bounded sleep, but some
//!   nanoseconds remain between that and the ring itself: the price of this kind, and why the futex
//!   is the default.
//! - Its deadlines are computed by adding the fractions of two times without carrying, and a fraction
//!   over a second makes the system refuse the wait at once. Sleeps are cut so that they end within
//!   the second in which they began.
//! - It waits by the wall clock, so a sleep can last longer by what the clock is set back meanwhile,
//!   unless the bell is rung.
//! - The memory is used by the system's own code, which trusts it. A server takes links with this
//!   kind only if its own builder chose it.

mod robust;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use raw_sync::Timeout;
use raw_sync::events::{Event, EventImpl, EventInit, EventState};
use robust::{Found, RobustMutex};

/// The longest that a ring waits for the event's mutex, which a live holder keeps for microseconds.
const RING_PATIENCE: Duration = Duration::from_millis(2);
/// A deadline must not come closer than this to the end of a second: the event reads the clock again.
const SECOND_MARGIN: Duration = Duration::from_millis(1);
/// A sleep that failed at once is made up for by so much, so that nobody spins on a broken event.
const BROKEN_PAUSE: Duration = Duration::from_micros(500);

pub(super) struct EventBell {
    event: Box<dyn EventImpl>,
    /// The event's own mutex.
    mutex: RobustMutex,
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: both are pointers to a process-shared mutex and condition variable, which any thread may
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
        made && unsafe { RobustMutex::make(place) }
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
        Some(Self { event, mutex, _owner: owner })
    }

    pub(super) fn sleep(&self, timeout: Duration) {
        let Some(timeout) = within_second(timeout) else {
            thread::sleep(timeout.min(SECOND_MARGIN));
            return;
        };
        let started = Instant::now();
        if self.event.wait(Timeout::Val(timeout)).is_ok() {
            return;
        }
        // Time out, or the holder died and left the mutex to this thread, or for nobody.
        self.mutex.mend();
        let missing = timeout.saturating_sub(started.elapsed());
        thread::sleep(missing.min(BROKEN_PAUSE));
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

/// As much of `timeout` as ends within the current second of the wall clock; `None` if the second is
/// as good as over.
fn within_second(timeout: Duration) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_secs(1)
        .checked_sub(Duration::from_nanos(u64::from(now.subsec_nanos())))?
        .checked_sub(SECOND_MARGIN)?;
    (!left.is_zero()).then(|| timeout.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deadline_leaves_the_current_second() {
        for _ in 0..1_000 {
            if let Some(timeout) = within_second(Duration::from_secs(5)) {
                assert!(timeout < Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn an_event_fits_its_place() {
        #[repr(align(128))]
        struct Place([u8; super::super::EVENT_LENGTH]);
        let mut place = Place([0; super::super::EVENT_LENGTH]);
        // SAFETY: fresh and aligned.
        assert!(unsafe { EventBell::initialise(NonNull::from(&mut place.0).cast()) });
    }
}

/// Sleepers that are killed, as processes of their own.
#[cfg(test)]
mod deaths {
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::segment::{Mapping, PAGE};

    const SLEEPER: &str = "SHMIPC_TEST_SLEEPER";
    const TEST: &str =
        "doorbell::event::deaths::a_ring_does_not_wait_for_a_sleeper_that_was_killed";
    const MARK: usize = 1024;

    fn bell(mapping: &Arc<Mapping>) -> EventBell {
        let place = mapping.place::<u8>(256).unwrap();
        // SAFETY: inside the mapping, zeroed when it was made, and used by this test alone, which
        // initialises it before it starts anybody.
        unsafe { EventBell::attach(place, mapping.clone()) }.unwrap()
    }

    fn mark(mapping: &Mapping) -> &AtomicU32 {
        // SAFETY: inside the mapping; an atomic.
        unsafe { mapping.place::<AtomicU32>(MARK).unwrap().as_ref() }
    }

    fn sleep_without_end(name: &str) {
        let mapping = Arc::new(Mapping::open(name, PAGE).unwrap());
        mark(&mapping).store(1, Ordering::Release);
        loop {
            bell(&mapping).sleep(Duration::from_secs(60));
        }
    }

    fn signal(child: &Child, signal: &str) {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Starts a sleeper, wakes it while it cannot run, and kills it.
    fn kill_a_woken_sleeper(name: &str, mapping: &Arc<Mapping>) {
        mark(mapping).store(0, Ordering::Release);
        let program = std::env::current_exe().unwrap();
        let mut sleeper = Command::new(program);
        let mut sleeper = sleeper.args(["--exact", TEST]).env(SLEEPER, name).spawn().unwrap();
        while mark(mapping).load(Ordering::Acquire) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        // Time to fall asleep; if it is too short, this round proves nothing.
        thread::sleep(Duration::from_millis(30));
        signal(&sleeper, "-STOP");
        thread::sleep(Duration::from_millis(10));
        bell(mapping).ring();
        signal(&sleeper, "-KILL");
        sleeper.wait().unwrap();
    }

    /// A killed client once hung the whole server: the system's condition variable waits, inside a
    /// ring, for a sleeper that was woken and never leaves it.
    #[test]
    fn a_ring_does_not_wait_for_a_sleeper_that_was_killed() {
        if let Ok(name) = std::env::var(SLEEPER) {
            sleep_without_end(&name);
        }
        let name = format!("shmipc.l.test-sleeper-{}", std::process::id());
        let mapping = Arc::new(Mapping::create(&name, PAGE, 0).unwrap());
        // SAFETY: fresh, zeroed, inside the mapping, aligned.
        assert!(unsafe { EventBell::initialise(mapping.place::<u8>(256).unwrap()) });
        let (done, watchdog) = mpsc::channel();
        let for_thread = (name, Arc::clone(&mapping));
        thread::spawn(move || {
            let (name, mapping) = for_thread;
            for _ in 0..6 {
                kill_a_woken_sleeper(&name, &mapping);
            }
            done.send(()).unwrap();
        });
        let heard = watchdog.recv_timeout(Duration::from_secs(60));
        mapping.unlink();
        assert!(heard.is_ok(), "a ring hung");
    }
}
