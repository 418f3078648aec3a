//! The portable doorbell: whether it was rung is the state of one of `raw_sync`'s events, and a
//! POSIX semaphore is what a sleeper sleeps on.
//!
//! Of `raw_sync`'s two events this is the one of atomics alone. The other, a mutex and a condition
//! variable, was here before, and processes are killed at any place:
//! - a condition variable waits, inside a *ring*, until every sleeper woken before has left it, and
//!   one that was killed never does: a killed client hung its server, for all clients;
//! - a mutex dies with its holder, or must be made robust and mended;
//! - both wait by the wall clock, which can be set back.
//!
//! A semaphore is one atomic count and a sleep on it. A sleeper that is killed leaves behind that
//! somebody may sleep, which costs a system call with each ring; a ringer that is killed takes its
//! ring with it at most, and every sleep is bounded.
//!
//! Its limits, and what is done about each:
//! - Where the C library does not know how to wait by the monotonic clock (glibc does since 2.30),
//!   a sleep can last longer by what the clock is set back meanwhile, unless the bell is rung.
//! - The memory is used by the system's own code, which trusts it. A server takes links with this
//!   kind only if its own builder chose it.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use raw_sync::Timeout;
use raw_sync::events::{BusyEvent, EventImpl, EventInit, EventState};

/// A sleep that failed at once is made up for by so much, so that nobody spins on a broken bell.
const BROKEN_PAUSE: Duration = Duration::from_micros(500);
/// Where the event lies, behind the semaphore.
const STATE_OFFSET: usize = 64;

const _: () = assert!(size_of::<libc::sem_t>() <= STATE_OFFSET);
const _: () = assert!(STATE_OFFSET < super::EVENT_LENGTH);

pub(super) struct EventBell {
    semaphore: NonNull<libc::sem_t>,
    /// Whether somebody rang since the last sleep ended.
    rung: Box<dyn EventImpl>,
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: a process-shared semaphore and two bytes that are used as atomics, which any thread may
// use, in memory that `_owner` keeps alive.
unsafe impl Send for EventBell {}
// SAFETY: as above.
unsafe impl Sync for EventBell {}

impl EventBell {
    /// # Safety
    /// [`super::EVENT_LENGTH`] zeroed bytes at `place`, aligned to 128, that nobody else uses yet.
    pub(super) unsafe fn initialise(place: NonNull<u8>) -> bool {
        // SAFETY: inside the place (asserted above).
        let state = unsafe { place.add(STATE_OFFSET) };
        if BusyEvent::size_of(Some(state.as_ptr())) > super::EVENT_LENGTH - STATE_OFFSET {
            return false;
        }
        // SAFETY: large enough (checked), and unused (contract).
        let made = unsafe { BusyEvent::new(state.as_ptr(), true) }.is_ok();
        // SAFETY: large enough (asserted above), aligned and unused (contract).
        made && unsafe { libc::sem_init(place.as_ptr().cast(), 1, 0) == 0 }
    }

    /// # Safety
    /// `initialise` prepared the place, which stays valid while `owner` lives, and only this type
    /// uses it.
    pub(super) unsafe fn attach(
        place: NonNull<u8>,
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Option<Self> {
        // SAFETY: inside the place (asserted above).
        let state = unsafe { place.add(STATE_OFFSET) };
        // SAFETY: contract.
        let (rung, _) = unsafe { BusyEvent::from_existing(state.as_ptr()) }.ok()?;
        Some(Self { semaphore: place.cast(), rung, _owner: owner })
    }

    /// `true`: nobody rang.
    pub(super) fn sleep(&self, timeout: Duration) -> bool {
        let started = Instant::now();
        let woken = wait(self.semaphore, timeout);
        // A ring that was set and not posted yet counts; the post ends the next sleep at once, in
        // vain.
        if self.was_rung() || woken {
            return false;
        }
        // Time out, a signal, or memory that is no semaphore any more.
        let missing = timeout.saturating_sub(started.elapsed());
        thread::sleep(missing.min(BROKEN_PAUSE));
        missing.is_zero()
    }

    /// Takes a ring, if there was one.
    fn was_rung(&self) -> bool {
        self.rung.wait(Timeout::Val(Duration::ZERO)).is_ok()
    }

    pub(super) fn ring(&self) {
        // An event of atomics never refuses.
        drop(self.rung.set(EventState::Signaled));
        let semaphore = self.semaphore.as_ptr();
        let mut count = 0;
        // SAFETY: a semaphore (contract of `attach`), and a place for its count.
        let known = unsafe { libc::sem_getvalue(semaphore, &raw mut count) } == 0;
        // A ring that nobody has heard yet is enough; two at once make one look in vain.
        if !known || count <= 0 {
            // SAFETY: as above. It fails only if the memory is no semaphore any more.
            unsafe { libc::sem_post(semaphore) };
        }
    }
}

/// Sleeps on a semaphore. `true`: somebody posted.
fn wait(semaphore: NonNull<libc::sem_t>, timeout: Duration) -> bool {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    unsafe { libc::clock_gettime(CLOCK, &raw mut now) };
    let now = Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    );
    // Sleeps are bounded, and short beside what a clock can count.
    let until = crate::os::timespec(now.saturating_add(timeout));
    // SAFETY: a semaphore (contract of `attach`), and a time that is valid for the call.
    unsafe { wait_until(semaphore.as_ptr(), &raw const until) == 0 }
}

#[cfg(target_env = "gnu")]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
#[cfg(not(target_env = "gnu"))]
const CLOCK: libc::clockid_t = libc::CLOCK_REALTIME;

/// # Safety
/// As `sem_timedwait`'s, with a time of [`CLOCK`].
#[cfg(target_env = "gnu")]
unsafe fn wait_until(semaphore: *mut libc::sem_t, until: *const libc::timespec) -> libc::c_int {
    unsafe extern "C" {
        // glibc 2.30; not in the `libc` crate.
        fn sem_clockwait(
            semaphore: *mut libc::sem_t,
            clock: libc::clockid_t,
            until: *const libc::timespec,
        ) -> libc::c_int;
    }
    // SAFETY: contract.
    unsafe { sem_clockwait(semaphore, CLOCK, until) }
}

/// # Safety
/// As `sem_timedwait`'s, with a time of [`CLOCK`].
#[cfg(not(target_env = "gnu"))]
unsafe fn wait_until(semaphore: *mut libc::sem_t, until: *const libc::timespec) -> libc::c_int {
    // SAFETY: contract.
    unsafe { libc::sem_timedwait(semaphore, until) }
}

/// Sleepers that are killed, as processes of their own.
#[cfg(test)]
mod deaths {
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::segment::layout::PAGE;
    use crate::segment::mapping::Mapping;

    const SLEEPER: &str = "SHMIPC_TEST_SLEEPER";
    const TEST: &str =
        "segment::doorbell::event::deaths::a_ring_does_not_wait_for_a_sleeper_that_was_killed";
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
        let mapping = Arc::new(Mapping::open(name, PAGE, |_| Ok(())).unwrap());
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

    /// A killed client once hung the whole server: the system's condition variable, which was here
    /// before, waits inside a ring for a sleeper that was woken and never leaves it.
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
