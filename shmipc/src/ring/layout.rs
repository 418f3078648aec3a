//! A lane's control words and where its bytes are.
//!
//! ```text
//!   0  head            u64   written by the consumer
//! 128  consumer_waits  u32   written by the consumer's process: it sleeps, or is about to
//! 256  producer_waits  u32   written by the producer's process: so many threads wait for room
//! 384  reserved (counters of later versions)
//! ```
//!
//! The flags have lines of their own because each message reads one and hardly any writes one: the
//! line stays shared in both caches.
//!
//! There is no `tail`: that a frame is there stands in the frame's own header, so that one line of
//! the cache passes from one processor to the other for each small message, and not two, one after
//! the other.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::ring::foreign::Place;
use crate::ring::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};
use crate::sync::{AtomicU32, AtomicU64, Isolated};

/// Least bytes in a ring: one page. In models two frames, as each word is one of the checker's.
pub(crate) const MINIMUM_CAPACITY: usize = if cfg!(loom) { 128 } else { 4 << 10 };
/// Most bytes in a ring.
pub(crate) const MAXIMUM_CAPACITY: usize = 1 << 30;

/// The control words of a lane, in shared memory.
#[repr(C)]
#[cfg_attr(any(test, loom, fuzzing), derive(Default))]
pub(crate) struct LaneControl {
    pub(crate) head: Isolated<AtomicU64>,
    pub(crate) consumer_waits: Isolated<AtomicU32>,
    pub(crate) producer_waits: Isolated<AtomicU32>,
    reserved: Isolated<AtomicU64>,
}

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<LaneControl>() == 512);
    assert!(align_of::<LaneControl>() == 128);
    assert!(offset_of!(LaneControl, head) == 0);
    assert!(offset_of!(LaneControl, consumer_waits) == 128);
    assert!(offset_of!(LaneControl, producer_waits) == 256);
};

/// Where a lane lies in this process's address space. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lane {
    control: NonNull<LaneControl>,
    data: Place,
    /// Bytes in the ring: a power of two. Private, never read again from shared memory.
    capacity: u64,
    /// Keeps the memory mapped.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: both pointers lead into memory that `_owner` keeps alive (contract of `Lane::new`). The
// control words are atomics; the data is only touched by `Producer` and `Consumer`, of which
// `Lane::new`'s contract allows one each in a process.
unsafe impl Send for Lane {}
// SAFETY: `&Lane` gives out the control words and headers' words (atomics), plain numbers, and
// pointers whose use is unsafe. Who copies plain bytes keeps away from words that others look at: a
// producer's payloads start behind a header's place in room that is free, where only it clears
// places ahead.
unsafe impl Sync for Lane {}

impl Lane {
    /// # Safety
    /// As long as `owner` lives, `control` leads to a `LaneControl` and `data`, aligned to 64, to
    /// `capacity` bytes, both readable and writable and used for nothing else. At most one
    /// [`super::Producer`] and one [`super::Consumer`] are made of it and its clones, unless
    /// the memory is another process's too, in which case that process is not trusted.
    ///
    /// `capacity` is a power of two within [`MINIMUM_CAPACITY`] and [`MAXIMUM_CAPACITY`].
    pub(crate) unsafe fn new(
        control: NonNull<LaneControl>,
        data: Place,
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
    pub(crate) fn address(&self, position: u64) -> Place {
        // SAFETY: `index` is below `capacity`, so the offset stays inside the data that `Lane::new`
        // was promised; an index always fits a `usize`, as `capacity` came as one.
        unsafe { self.data.add(self.index(position) as usize) }
    }

    /// The address of the payload of a frame at a position: just behind its header.
    #[inline]
    pub(crate) fn payload_address(&self, position: u64) -> Place {
        let header = self.address(frame_start(position));
        // SAFETY: a multiple of 64 below the capacity, itself one, is followed by 64 bytes of data.
        unsafe { header.add(HEADER_LENGTH) }
    }

    /// A header's second word, which is zero where no frame is: stored last by the producer, loaded
    /// first by the consumer.
    #[inline]
    pub(crate) fn presence_word(&self, position: u64) -> &AtomicU64 {
        self.header_word(position, 1)
    }

    /// A header's first word.
    #[inline]
    pub(crate) fn length_word(&self, position: u64) -> &AtomicU64 {
        self.header_word(position, 0)
    }

    #[inline]
    fn header_word(&self, position: u64, word: usize) -> &AtomicU64 {
        let header = self.address(frame_start(position));
        // SAFETY: as in `payload_address`, 16 bytes of data follow: two words.
        let place = unsafe { header.add(word * size_of::<AtomicU64>()) };
        // SAFETY: aligned to 64 (a frame's start), and alive as long as `_owner`. Where a header
        // may be looked at, its words are only touched as atomics; payloads are written
        // over them only where no header is looked for (`Producer`'s room).
        unsafe { place.word() }
    }

    /// Asks for the line at a position to be made this processor's own, to be written soon. A hint
    /// that costs nothing if it was wrong.
    #[inline]
    pub(crate) fn prefetch_for_writing(&self, position: u64) {
        #[cfg(all(target_arch = "x86_64", not(loom)))]
        // SAFETY: a hint: any address is allowed, nothing is read or written, and processors that
        // do not know it do nothing. (The intrinsic for it becomes a prefetch for reading
        // where the target's features do not promise this instruction.)
        unsafe {
            std::arch::asm!(
                "prefetchw [{address}]",
                address = in(reg) self.address(position).as_ptr(),
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(any(not(target_arch = "x86_64"), loom))]
        let _ = position;
    }

    /// The largest payload that always fits as one frame once the ring is empty: half the ring, so
    /// that pad, frame and the place of the next header together never exceed it.
    #[inline]
    pub(crate) fn largest_payload(&self) -> usize {
        (self.capacity / 2) as usize - HEADER_LENGTH
    }
}

/// Where the frame starts that has this position: positions of frames are such already, and what
/// comes out of shared memory was checked to be; this keeps the pointers right even so.
#[inline]
fn frame_start(position: u64) -> u64 {
    position & !(FRAME_ALIGNMENT as u64 - 1)
}

#[cfg(loom)]
impl Lane {
    /// A lane in this process's own memory, of words that the checker sees.
    pub(crate) fn in_memory(capacity: usize) -> Self {
        struct Memory {
            control: LaneControl,
            data: Box<[AtomicU64]>,
        }
        let data = (0..capacity / 8).map(|_| AtomicU64::new(0)).collect();
        let memory = Arc::new(Memory { control: LaneControl::default(), data });
        let control = NonNull::from(&memory.control);
        let data = Place::new(NonNull::from(&*memory.data).cast());
        // SAFETY: both lead into `memory`, which is the owner.
        unsafe { Self::new(control, data, capacity, memory) }
    }
}

#[cfg(all(any(test, fuzzing), not(loom)))]
impl Lane {
    /// A lane in this process's own memory.
    pub(crate) fn in_memory(capacity: usize) -> Self {
        #[repr(align(64))]
        #[derive(Clone)]
        struct Line(#[allow(dead_code, reason = "reached through pointers")] [u8; 64]);
        struct Memory {
            control: LaneControl,
            data: std::cell::UnsafeCell<Box<[Line]>>,
        }
        // SAFETY: `data` is only reached through the lane's pointers.
        unsafe impl Sync for Memory {}
        let memory = Arc::new(Memory {
            control: LaneControl::default(),
            data: std::cell::UnsafeCell::new(vec![Line([0; 64]); capacity / 64].into()),
        });
        let control = NonNull::from(&memory.control);
        // SAFETY: nobody else has the box yet.
        let data = unsafe { (*memory.data.get()).as_mut_ptr() };
        let data = Place::new(NonNull::new(data.cast()).expect("a box is not null"));
        // SAFETY: both pointers lead into `memory`, which is the owner.
        unsafe { Self::new(control, data, capacity, memory) }
    }
}
