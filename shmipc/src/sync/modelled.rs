//! What `loom` lacks, made of what it has.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loom::sync::{Condvar, Mutex};

use super::{AtomicU32, Fault, Ordering};

std::thread_local! {
    // All threads of a model run on one thread of the system.
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Is this fault built in?
pub(crate) fn broken(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}

/// Runs `check` with a fault built in.
pub(crate) fn with_fault<R>(fault: Option<Fault>, check: impl FnOnce() -> R) -> R {
    FAULT.set(fault);
    let result = check();
    FAULT.set(None);
    result
}

/// Where one thread sleeps. `loom`'s own parking is not used: its `unpark` also wakes a thread that
/// sleeps on something else, which would hide lost wake-ups.
#[derive(Default)]
struct Bed {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl Bed {
    fn sleep(&self) {
        let mut rung = self.rung.lock().expect("no panic under the lock");
        while !*rung {
            rung = self.condvar.wait(rung).expect("no panic under the lock");
        }
        *rung = false;
    }

    fn ring(&self) {
        *self.rung.lock().expect("no panic under the lock") = true;
        self.condvar.notify_one();
    }
}

/// A thread that can be woken.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Bed>);

impl Thread {
    pub(crate) fn unpark(&self) {
        self.0.ring();
    }
}

loom::thread_local! {
    static CURRENT: Thread = Thread(Arc::default());
}

/// The calling thread.
pub(crate) fn current() -> Thread {
    CURRENT.with(Clone::clone)
}

/// Sleeps until unparked: in a model no time passes, so a wake-up that is lost is a deadlock.
pub(crate) fn park_timeout(_: Duration) {
    current().0.sleep();
}

/// The sleepers on one futex word.
struct Bucket {
    rings: Mutex<u64>,
    condvar: Condvar,
}

loom::lazy_static! {
    static ref BUCKETS: std::sync::Mutex<HashMap<usize, Arc<Bucket>>> = std::sync::Mutex::default();
}

fn bucket(word: &AtomicU32) -> Arc<Bucket> {
    let mut buckets = BUCKETS.lock().expect("no panic under the lock");
    let fresh = || Arc::new(Bucket { rings: Mutex::new(0), condvar: Condvar::new() });
    buckets.entry(std::ptr::from_ref(word) as usize).or_insert_with(fresh).clone()
}

/// The kernel's futex: compares and goes to sleep under the bucket's lock. Without a bound: see
/// [`park_timeout`].
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32) {
    let bucket = bucket(word);
    let mut rings = bucket.rings.lock().expect("no panic under the lock");
    if word.load(Ordering::Relaxed) != expected {
        return;
    }
    let before = *rings;
    while *rings == before {
        rings = bucket.condvar.wait(rings).expect("no panic under the lock");
    }
}

/// Wakes all sleepers on the word.
pub(crate) fn futex_wake(word: &AtomicU32) {
    let bucket = bucket(word);
    *bucket.rings.lock().expect("no panic under the lock") += 1;
    bucket.condvar.notify_all();
}

/// A value that is written once. What reads it acquires what was written before it.
pub(crate) struct OnceLock<T> {
    is_set: AtomicU32,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { is_set: AtomicU32::new(0), value: std::sync::OnceLock::new() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.value.get()
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.is_set.load(Ordering::Acquire) == 0 {
            self.value.get_or_init(make);
            // A second one changes nothing.
            self.is_set.fetch_or(1, Ordering::AcqRel);
        }
        self.value.get().expect("set just now or before")
    }
}
