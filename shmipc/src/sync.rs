//! The atomics: `std`'s, or `loom`'s when the ring and the doorbell are model-checked
//! (`--cfg loom`). Everything that two processes or two threads share goes through here.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A value alone in its 128 bytes: two lines of 64 on x86-64 (whose prefetcher fetches pairs), one
/// on processors with lines of 128. Fixed, never a per-architecture constant: two processes built
/// for one machine must agree on it.
#[repr(C, align(128))]
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
