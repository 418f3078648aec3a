//! Where a producer's payload goes: straight into the ring.

use super::Lane;
use super::frame::Label;
use crate::codec::Sink;
use crate::ring::foreign::Place;
use crate::ring::frame::{Checksums, HEADER_LENGTH, Header};

/// A frame that is made in the ring, by who has the ring's producer.
pub(crate) struct InPlace {
    pub(super) start: u64,
    pub(super) sink: RingSink,
}

impl InPlace {
    /// Payload bytes so far.
    pub(crate) fn written(&self) -> usize {
        self.sink.written
    }

    /// Copies what was written so far to another place.
    pub(crate) fn copy_to(&self, other: &mut impl Sink) {
        self.sink.read_out(0, |block| {
            other.put(block);
        });
    }
}

impl Sink for InPlace {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.sink.put(bytes)
    }
}

/// Pieces from so many bytes on are hashed where they come from; smaller ones, many at a time,
/// where they went.
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
    /// Are large pieces hashed on their way?
    hashes: bool,
    /// The checksum of the payload's first bytes, and how many they are: once a large piece came.
    hashed: Option<(crc32fast::Hasher, usize)>,
}

impl RingSink {
    /// For a frame at `start`, where `room` contiguous bytes are free, at least 16.
    #[inline]
    pub(super) fn new(lane: &Lane, start: u64, room: u64) -> Self {
        debug_assert!(room >= HEADER_LENGTH as u64 && room <= lane.to_end(start));
        let payload = lane.payload_address(start);
        let room = room as usize - HEADER_LENGTH;
        Self { payload, room, written: 0, hashes: false, hashed: None }
    }

    /// For who asks for the checksum by [`finish`](Self::finish): large pieces are hashed where
    /// they come from, so that they need not be copied out again.
    #[inline]
    pub(super) fn hashing(self, checksums: Checksums) -> Self {
        Self { hashes: checksums == Checksums::On, ..self }
    }

    #[inline]
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Found more room behind its own: `room` bytes in all, as for [`new`](Self::new).
    pub(super) fn widen(&mut self, room: u64) {
        debug_assert!(room as usize - HEADER_LENGTH >= self.room);
        self.room = room as usize - HEADER_LENGTH;
    }

    #[inline]
    fn copy(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.room - self.written);
        // SAFETY: `written <= room`, so the pointer stays inside the room or just past it.
        let next = unsafe { self.payload.add(self.written) };
        // SAFETY: as many bytes from `next` on (`put` has checked) are free room of the ring that
        // only this process's one producer writes (`Producer::new`).
        unsafe { next.write(bytes) };
        crate::step::reach("encode");
        self.written += bytes.len();
    }

    /// The header and checksum of what was written.
    pub(super) fn finish(mut self, label: Label, checksums: Checksums) -> (Header, u32) {
        // At most half a ring, which fits a u32 (`MAXIMUM_CAPACITY`).
        let header = label.header(self.written as u32);
        if checksums == Checksums::Off {
            return (header, 0);
        }
        let mut whole = header.hasher();
        match self.hashed.take() {
            None => self.hash_rest(&mut whole, 0),
            Some((mut hasher, hashed)) => {
                self.hash_rest(&mut hasher, hashed);
                whole.combine(&hasher);
            }
        }
        (header, whole.finalize())
    }

    /// Hashes what was written behind the first `hashed` bytes.
    fn hash_rest(&self, hasher: &mut crc32fast::Hasher, hashed: usize) {
        self.read_out(hashed, |block| hasher.update(block));
    }

    /// Gives what was written from `from` on, block by block: copied out of the ring, as the other
    /// process could write there. It never does if it is correct; if it does, the message is wrong
    /// that it gets.
    fn read_out(&self, mut from: usize, mut to: impl FnMut(&[u8])) {
        let mut block = [0; BLOCK];
        while from < self.written {
            let length = BLOCK.min(self.written - from);
            // SAFETY: `from` is below `written`, which is inside the room.
            let next = unsafe { self.payload.add(from) };
            // SAFETY: `length` bytes from there on were written, and only by this thread; the block
            // is as long.
            unsafe { next.read(block.as_mut_ptr(), length) };
            to(&block[..length]);
            from += length;
        }
    }

    /// Hashes a large piece that is about to be copied, and what came before it.
    fn hash_large(&mut self, bytes: &[u8]) {
        let (mut hasher, hashed) = self.hashed.take().unwrap_or_default();
        self.hash_rest(&mut hasher, hashed);
        hasher.update(bytes);
        self.hashed = Some((hasher, self.written + bytes.len()));
    }
}

impl Sink for RingSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room - self.written {
            return false;
        }
        if self.hashes && bytes.len() >= LARGE {
            self.hash_large(bytes);
        }
        self.copy(bytes);
        true
    }
}
