//! Bounded sleeps without a timer of the kernel's for each.
//!
//! Every sleep here has a bound, and hardly any reaches it: the ring comes after microseconds. Arming
//! and disarming a timer for each of them costs more than everything else that this library does for
//! a message (on virtual machines above all, where each is a trap). So who sleeps for a moment tells
//! one thread, shared by the whole process, until when; that thread sleeps until the earliest of those
//! moments as it knew them last, and rings for who is overdue. A conversation of ten thousand sleeps
//! arms twenty timers a second.
//!
//! Who is not woken within [`PATIENCE`] is not in a conversation: such a sleeper bounds its next sleep
//! with a timer of its own ([`crate::doorbell`]). While nobody sleeps here the thread sleeps without a
//! bound. So idle processes have no wake-ups on this account.
//!
//! The thread starts with the process's first link and ends soon after the last ([`Stay`]), so that no
//! message pays for either.

use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use crate::fork;
use crate::sync::real::{Condvar, Mutex, MutexGuard};
use crate::sync::{AtomicU32, Ordering};
use crate::sys;

/// The longest sleep that is bounded here.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);
/// Between two rings for a sleeper that is overdue and still there.
const AGAIN: Duration = Duration::from_millis(1);
/// How long the thread stays after the last link: who connects again and again shall not start one
/// each time.
const LINGER: Duration = Duration::from_millis(500);
/// Sleepers of one link at a time, hardly ever more: its listener, one who waits for replies, and a few
/// who wait for room or for each other.
const SLEEPERS: usize = 8;

struct Sleeper {
    key: u64,
    until: Instant,
    word: Word,
}

/// The futex word of a sleeper.
struct Word(*const AtomicU32);

// SAFETY: an atomic, used from the alarm's thread only under the lock and only while its sleeper is
// registered, which is as long as the sleeper's borrow of it lasts (`sleep`).
unsafe impl Send for Word {}

pub(crate) struct Alarm {
    sleepers: Vec<Sleeper>,
    last_key: u64,
    /// How many [`Stay`]s there are.
    stays: usize,
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    Absent,
    /// Sleeps until this moment or until it is told something; without a moment, until then.
    Sleeps(Option<Instant>),
}

static ALARM: Mutex<Alarm> =
    Mutex::new(Alarm { sleepers: Vec::new(), last_key: 0, stays: 0, thread: Thread::Absent });
static EARLIER: Condvar = Condvar::new();

pub(crate) fn lock() -> MutexGuard<'static, Alarm> {
    ALARM.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alarm {
    /// For a forked child, which has neither the thread nor the sleepers.
    pub(crate) fn forget_all(&mut self) {
        self.sleepers.clear();
        // The parent's links end without effect, if they ever do.
        self.stays = 0;
        self.thread = Thread::Absent;
    }
}

/// Keeps the thread while a link is there.
pub(crate) struct Stay {
    generation: u32,
}

impl Stay {
    /// Where no thread can be started, sleeps are bounded by the kernel's timers.
    pub(crate) fn new() -> Self {
        let mut alarm = lock();
        alarm.stays += 1;
        // A link has few sleepers at a time, however many threads use it: no sleep allocates.
        let room = (SLEEPERS * alarm.stays).saturating_sub(alarm.sleepers.len());
        alarm.sleepers.reserve(room);
        // In models no time passes: nothing is bounded.
        if alarm.thread == Thread::Absent && !cfg!(loom) {
            let builder = thread::Builder::new().name("shmipc-alarm".into());
            if builder.spawn(run).is_ok() {
                alarm.thread = Thread::Sleeps(None);
            }
        }
        Self { generation: fork::generation() }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut alarm = lock();
        if fork::is_inherited(self.generation) {
            return;
        }
        alarm.stays -= 1;
        if alarm.stays == 0 {
            EARLIER.notify_one();
        }
    }
}

/// Sleeps while `word` is `expected`, until a wake-up, a signal, or the time-out, which changes the
/// word: it counts rings. At most [`PATIENCE`].
pub(crate) fn sleep(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = timeout.min(PATIENCE);
    match Registered::new(word, Instant::now() + timeout) {
        Some(registered) => {
            sys::futex_wait(word, expected, None);
            drop(registered);
        }
        None => sys::futex_wait(word, expected, Some(timeout)),
    }
}

/// A sleeper as long as the alarm's thread knows it.
struct Registered(u64);

impl Registered {
    /// `None` where there is no thread to ring.
    fn new(word: &AtomicU32, until: Instant) -> Option<Self> {
        let mut alarm = lock();
        match alarm.thread {
            Thread::Absent => return None,
            Thread::Sleeps(Some(planned)) if planned <= until => {}
            Thread::Sleeps(_) => {
                alarm.thread = Thread::Sleeps(Some(until));
                EARLIER.notify_one();
            }
        }
        alarm.last_key += 1;
        let key = alarm.last_key;
        alarm.sleepers.push(Sleeper { key, until, word: Word(word) });
        Some(Self(key))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut alarm = lock();
        if let Some(index) = alarm.sleepers.iter().position(|sleeper| sleeper.key == self.0) {
            alarm.sleepers.swap_remove(index);
        }
    }
}

/// The alarm's thread.
fn run() {
    /// However the thread ends, the next link starts another.
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            lock().thread = Thread::Absent;
        }
    }
    // Dropped after the lock's guard below, as it was made before.
    let ended = Ended;
    let mut alarm = lock();
    let mut alone_since = None;
    loop {
        let now = Instant::now();
        let mut until = alarm.ring_for_overdue(now);
        if alarm.stays > 0 || until.is_some() {
            alone_since = None;
        } else {
            let end = *alone_since.get_or_insert(now) + LINGER;
            if now >= end {
                // Under the lock, so that a link that comes now starts another thread.
                alarm.thread = Thread::Absent;
                std::mem::forget(ended);
                return;
            }
            until = Some(end);
        }
        alarm.thread = Thread::Sleeps(until);
        alarm = match until {
            Some(until) => {
                let left = until.saturating_duration_since(now);
                EARLIER.wait_timeout(alarm, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => EARLIER.wait(alarm).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

impl Alarm {
    /// Answers when to look again.
    fn ring_for_overdue(&mut self, now: Instant) -> Option<Instant> {
        for sleeper in self.sleepers.iter_mut().filter(|sleeper| sleeper.until <= now) {
            // SAFETY: registered, so its sleeper still borrows the word; it leaves the list only under
            // the lock, which whoever has an `Alarm` holds.
            ring(unsafe { &*sleeper.word.0 });
            // Until it has left the list by itself: the word is shared, and a peer that puts its old
            // value back would otherwise have a sleeper that only just begins sleep without end.
            sleeper.until = now + AGAIN;
        }
        self.sleepers.iter().map(|sleeper| sleeper.until).min()
    }
}

/// Ends sleeps on the word, also those that only just begin.
fn ring(word: &AtomicU32) {
    // SYNC(bell): as any ring.
    word.fetch_add(1, Ordering::Release);
    sys::futex_wake(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_sleep_that_nobody_ends_ends_by_itself() {
        let _stay = Stay::new();
        let word = AtomicU32::new(7);
        for _ in 0..5 {
            let started = Instant::now();
            let expected = word.load(Ordering::Relaxed);
            sleep(&word, expected, Duration::from_millis(5));
            // Only a signal ends it sooner, and then nobody rang.
            let rang = word.load(Ordering::Relaxed) != expected;
            assert!(rang == (started.elapsed() >= Duration::from_millis(5)));
        }
    }

    #[test]
    fn an_earlier_sleeper_does_not_wait_for_a_later_one() {
        let _stay = Stay::new();
        let long = Arc::new(AtomicU32::new(0));
        let for_thread = Arc::clone(&long);
        let sleeper = thread::spawn(move || sleep(&for_thread, 0, PATIENCE));
        let short = AtomicU32::new(0);
        sleep(&short, 0, Duration::from_millis(1));
        sleeper.join().unwrap();
    }

    #[test]
    fn a_word_that_changed_is_not_slept_on() {
        let _stay = Stay::new();
        let word = AtomicU32::new(1);
        // A watchdog by construction: nothing but the alarm would end a sleep.
        sleep(&word, 0, PATIENCE);
    }

    /// A peer that put the word's old value back, between the alarm's ring and the sleep, once made that
    /// sleep endless.
    #[test]
    fn a_word_that_is_put_back_does_not_keep_its_sleeper() {
        let (done, watchdog) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let _stay = Stay::new();
            let word = AtomicU32::new(0);
            let registered = Registered::new(&word, Instant::now()).expect("a thread");
            while word.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            word.store(0, Ordering::Relaxed);
            sys::futex_wait(&word, 0, None);
            drop(registered);
            done.send(()).expect("the watchdog");
        });
        assert!(watchdog.recv_timeout(Duration::from_secs(30)).is_ok(), "still asleep");
    }

    /// Many sleepers of all lengths at once, and a pause in which the thread ends: none is forgotten.
    #[test]
    fn no_sleeper_is_forgotten() {
        for _ in 0..2 {
            let _stay = Stay::new();
            let sleepers = (0..16_u64).map(|number| {
                thread::spawn(move || {
                    let word = AtomicU32::new(0);
                    for round in 0..40 {
                        let expected = word.load(Ordering::Relaxed);
                        sleep(&word, expected, Duration::from_micros(100 * (number + round % 7)));
                    }
                })
            });
            for sleeper in sleepers.collect::<Vec<_>>() {
                sleeper.join().unwrap();
            }
            thread::sleep(LINGER + Duration::from_millis(100));
        }
    }
}
