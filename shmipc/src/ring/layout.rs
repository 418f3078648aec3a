//! A lane's control words and where its bytes are.
//!
//! ```text
//!   0  tail            u64   written by the producer
//! 128  head            u64   written by the consumer
//! 256  consumer_waits  u32   written by the consumer's process: it sleeps, or is about to
//! 384  producer_waits  u32   written by the producer's process: so many threads wait for room
//! ```
//!
//! The flags have lines of their own because each message reads one and hardly any writes one: the
//! line stays shared in both caches.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};
use crate::sync::{AtomicU32, AtomicU64, Isolated};

/// Least bytes in a ring: one page.
pub(crate) const MINIMUM_CAPACITY: usize = 4 << 10;
/// Most bytes in a ring.
pub(crate) const MAXIMUM_CAPACITY: usize = 1 << 30;

/// The control words of a lane, in shared memory.
#[repr(C)]
pub(crate) struct LaneControl {
    pub(crate) tail: Isolated<AtomicU64>,
    pub(crate) head: Isolated<AtomicU64>,
    pub(crate) consumer_waits: Isolated<AtomicU32>,
    pub(crate) producer_waits: Isolated<AtomicU32>,
}

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<LaneControl>() == 512);
    assert!(align_of::<LaneControl>() == 128);
    assert!(offset_of!(LaneControl, tail) == 0);
    assert!(offset_of!(LaneControl, head) == 128);
    assert!(offset_of!(LaneControl, consumer_waits) == 256);
    assert!(offset_of!(LaneControl, producer_waits) == 384);
};

/// Where a lane lies in this process's address space. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lane {
    control: NonNull<LaneControl>,
    data: NonNull<u8>,
    /// Bytes in the ring: a power of two. Private, never read again from shared memory.
    capacity: u64,
    /// Keeps the memory mapped.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: both pointers lead into memory that `_owner` keeps alive (contract of `Lane::new`). The
// control words are atomics; the data is only touched by `Producer` and `Consumer`, of which
// `Lane::new`'s contract allows one each in a process.
unsafe impl Send for Lane {}
// SAFETY: `&Lane` gives out the control words (atomics), plain numbers, and a pointer whose use is
// unsafe.
unsafe impl Sync for Lane {}

impl Lane {
    /// # Safety
    /// As long as `owner` lives, `control` leads to a `LaneControl` and `data` to `capacity` bytes,
    /// both readable and writable and used for nothing else. At most one [`super::Producer`] and one
    /// [`super::Consumer`] are made of it and its clones, unless the memory is another process's too,
    /// in which case that process is not trusted.
    ///
    /// `capacity` is a power of two within [`MINIMUM_CAPACITY`] and [`MAXIMUM_CAPACITY`].
    pub(crate) unsafe fn new(
        control: NonNull<LaneControl>,
        data: NonNull<u8>,
        capacity: usize,
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        debug_assert!(capacity.is_power_of_two());
        debug_assert!((MINIMUM_CAPACITY..=MAXIMUM_CAPACITY).contains(&capacity));
        Self { control, data, capacity: capacity as u64, _owner: owner }
    }

    #[inline]
    pub(crate) fn control(&self) -> &LaneControl {
        // SAFETY: `Lane::new`'s contract: the pointer is valid while `_owner` lives, and all fields
        // are atomics, so other processes may write them at the same time.
        unsafe { self.control.as_ref() }
    }

    /// Bytes in the ring.
    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The index of a position.
    #[inline]
    pub(crate) fn index(&self, position: u64) -> u64 {
        position & (self.capacity - 1)
    }

    /// Bytes from a position to the ring's end.
    #[inline]
    pub(crate) fn to_end(&self, position: u64) -> u64 {
        self.capacity - self.index(position)
    }

    /// The address of a position's byte. It is followed by [`to_end`](Self::to_end) bytes.
    #[inline]
    pub(crate) fn address(&self, position: u64) -> NonNull<u8> {
        // SAFETY: `index` is below `capacity`, so the offset stays inside the data that `Lane::new`
        // was promised; an index always fits a `usize`, as `capacity` came as one.
        unsafe { self.data.add(self.index(position) as usize) }
    }

    /// The address of the payload of a frame at a position: just behind its header, so inside the
    /// data or at its end.
    #[inline]
    pub(crate) fn payload_address(&self, position: u64) -> NonNull<u8> {
        let header = self.address(position & !(FRAME_ALIGNMENT as u64 - 1));
        // SAFETY: a multiple of 16 below the capacity, itself one, is followed by 16 bytes of data.
        unsafe { header.add(HEADER_LENGTH) }
    }

    /// Asks for the first 128 bytes at a position to be made this processor's own, to be written
    /// soon. A hint that costs nothing if it was wrong.
    #[inline]
    pub(crate) fn prefetch_for_writing(&self, position: u64) {
        #[cfg(target_arch = "x86_64")]
        for line in [0, 64] {
            let address = self.address(position).as_ptr().wrapping_add(line);
            // SAFETY: a hint: any address is allowed, nothing is read or written, and processors
            // that do not know it do nothing. (The intrinsic for it becomes a prefetch for reading
            // where the target's features do not promise this instruction.)
            unsafe {
                std::arch::asm!(
                    "prefetchw [{address}]",
                    address = in(reg) address,
                    options(nostack, preserves_flags, readonly)
                );
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = position;
    }

    /// The largest payload that always fits as one frame once the ring is empty: half the ring, so
    /// that pad and frame together never exceed it.
    #[inline]
    pub(crate) fn largest_payload(&self) -> usize {
        (self.capacity / 2) as usize - HEADER_LENGTH
    }
}

#[cfg(test)]
impl Lane {
    /// A lane in this process's own memory.
    pub(crate) fn private(capacity: usize) -> Self {
        struct Memory {
            control: LaneControl,
            data: std::cell::UnsafeCell<Box<[u8]>>,
        }
        // SAFETY: `data` is only reached through the lane's pointers.
        unsafe impl Sync for Memory {}
        let memory = Arc::new(Memory {
            control: LaneControl {
                tail: Isolated(AtomicU64::new(0)),
                head: Isolated(AtomicU64::new(0)),
                consumer_waits: Isolated(AtomicU32::new(0)),
                producer_waits: Isolated(AtomicU32::new(0)),
            },
            data: std::cell::UnsafeCell::new(vec![0; capacity].into_boxed_slice()),
        });
        let control = NonNull::from(&memory.control);
        // SAFETY: nobody else has the box yet.
        let data = unsafe { (*memory.data.get()).as_mut_ptr() };
        let data = NonNull::new(data).expect("a box is not null");
        // SAFETY: both pointers lead into `memory`, which is the owner.
        unsafe { Self::new(control, data, capacity, memory) }
    }
}
