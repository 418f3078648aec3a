//! The atomics, locks and parking: `std`'s, or `loom`'s when the shipped code is model-checked
//! (`--cfg loom`, see `crate::checks::models`). Everything that two processes or two threads share
//! goes through here.

mod fault;
#[cfg(loom)]
mod modelled;

pub(crate) use fault::{Fault, broken};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
#[cfg(not(loom))]
pub(crate) use std::thread::{Thread, current, park_timeout};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use modelled::{
    OnceLock, Thread, current, futex_wait, futex_wake, park_timeout, with_fault,
};

/// A value alone in its 128 bytes: two lines of 64 on x86-64 (whose prefetcher fetches pairs), one
/// on processors with lines of 128. Fixed, never a per-architecture constant: two processes built
/// for one machine must agree on it.
#[repr(C, align(128))]
#[cfg_attr(any(test, loom, fuzzing), derive(Default))]
pub(crate) struct Isolated<T>(pub(crate) T);

impl<T> std::ops::Deref for Isolated<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<Isolated<AtomicU64>>() == 128);
    assert!(size_of::<Isolated<AtomicU32>>() == 128);
};
