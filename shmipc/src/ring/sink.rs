//! Where a producer's payload goes: to private memory, or straight into the ring.

use super::Lane;
use super::producer::{Label, SMALL_FRAME};
use crate::codec::Sink;
use crate::foreign::Place;
use crate::frame::{Checksums, HEADER_LENGTH, Header};

/// Payload bytes on their way into private memory, behind the place of their header.
pub(super) struct SmallSink<'a> {
    pub(super) frame: &'a mut [u8; SMALL_FRAME],
    /// Where the next byte goes.
    pub(super) end: usize,
}

impl Sink for SmallSink<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        let end = self.end + bytes.len();
        let Some(place) = self.frame.get_mut(self.end..end) else {
            return false;
        };
        place.copy_from_slice(bytes);
        crate::step::reach("encode");
        self.end = end;
        true
    }
}

/// Pieces from so many bytes on are hashed where they come from; smaller ones, many at a time, where
/// they went.
const LARGE: usize = 16 << 10;
/// Bytes that are copied out of the ring to be hashed, at a time.
const BLOCK: usize = 1 << 10;

/// Payload bytes on their way into the ring, behind the place of their header.
pub(super) struct RingSink {
    /// Where the payload starts.
    payload: Place,
    /// Payload bytes for which there is room.
    room: usize,
    written: usize,
    checksums: Checksums,
    /// The checksum of the payload's first `hashed` bytes.
    hasher: crc32fast::Hasher,
    hashed: usize,
}

impl RingSink {
    /// For a frame at `start`, where `room` contiguous bytes are free, at least 16.
    #[inline]
    pub(super) fn new(lane: &Lane, start: u64, room: u64, checksums: Checksums) -> Self {
        debug_assert!(room >= HEADER_LENGTH as u64 && room <= lane.to_end(start));
        let payload = lane.payload_address(start);
        let room = room as usize - HEADER_LENGTH;
        Self { payload, room, written: 0, checksums, hasher: crc32fast::Hasher::new(), hashed: 0 }
    }

    #[inline]
    fn copy(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.room - self.written);
        // SAFETY: `written <= room`, so the pointer stays inside the room or just past it.
        let next = unsafe { self.payload.add(self.written) };
        // SAFETY: as many bytes from `next` on (`put` has checked) are free room of the ring that only
        // this process's one producer writes (`Producer::new`).
        unsafe { next.write(bytes) };
        crate::step::reach("encode");
        self.written += bytes.len();
    }

    /// The header and checksum of what was written.
    pub(super) fn finish(mut self, label: Label) -> (Header, u32) {
        // At most half a ring, which fits a u32 (`MAXIMUM_CAPACITY`).
        let header = label.header(self.written as u32);
        if self.checksums == Checksums::Off {
            return (header, 0);
        }
        let mut whole = header.hasher();
        if self.hashed == 0 {
            self.hasher = whole;
            self.hash_rest();
            return (header, self.hasher.finalize());
        }
        self.hash_rest();
        whole.combine(&self.hasher);
        (header, whole.finalize())
    }

    /// Hashes what was written and not hashed yet: copied out of the ring, as the other process could
    /// write there. It never does if it is correct; if it does, the checksum is wrong.
    fn hash_rest(&mut self) {
        let mut block = [0; BLOCK];
        while self.hashed < self.written {
            let length = BLOCK.min(self.written - self.hashed);
            // SAFETY: `hashed` is below `written`, which is inside the room.
            let next = unsafe { self.payload.add(self.hashed) };
            // SAFETY: `length` bytes from there on were written, and only by this thread; the block
            // is as long.
            unsafe { next.read(block.as_mut_ptr(), length) };
            self.hasher.update(&block[..length]);
            self.hashed += length;
        }
    }
}

impl Sink for RingSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room - self.written {
            return false;
        }
        if bytes.len() >= LARGE && self.checksums == Checksums::On {
            self.hash_rest();
            self.hasher.update(bytes);
            self.hashed += bytes.len();
        }
        self.copy(bytes);
        true
    }
}
