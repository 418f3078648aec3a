//! Where a producer's payload goes: to private memory, or straight into the ring.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use super::Lane;
use super::producer::Label;
use crate::codec::Sink;
use crate::foreign::Place;
use crate::frame::{Checksums, HEADER_LENGTH, Header};

/// Frames up to this length are made in private memory and copied into the ring in one go: the
/// consumer looks at the header's place all the time, and each look takes the line away from who
/// writes to it piece by piece. In models one line, so that they have larger frames too.
pub(crate) const SMALL_FRAME: usize = if cfg!(loom) { 64 } else { 512 };

/// A frame in private memory: the place of its header, and the payload so far. On the stack of who
/// sends, so it is not filled before it is used.
#[repr(align(64))]
pub(crate) struct SmallFrame {
    bytes: [MaybeUninit<u8>; SMALL_FRAME],
    /// Where the next byte goes. From the header's place up to here all is filled, and this is at
    /// least where the header's place ends; beyond the frame once it takes no more.
    end: usize,
}

impl SmallFrame {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { bytes: [const { MaybeUninit::uninit() }; SMALL_FRAME], end: HEADER_LENGTH }
    }

    /// The payload so far; nothing once the frame is [closed](Self::close).
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        let filled = self.bytes.get(HEADER_LENGTH..self.end).unwrap_or_default();
        // SAFETY: `put` has filled them (field `end`); filled bytes are `u8`s.
        unsafe { slice::from_raw_parts(filled.as_ptr().cast(), filled.len()) }
    }

    /// Header and payload in one piece.
    #[inline]
    pub(super) fn whole(&mut self, header: [u8; HEADER_LENGTH]) -> &[u8] {
        let (place, _) = self.bytes.split_at_mut(HEADER_LENGTH);
        // SAFETY: as many bytes of this frame as there are in `header`, which is elsewhere.
        unsafe {
            ptr::copy_nonoverlapping(header.as_ptr(), place.as_mut_ptr().cast(), header.len())
        };
        let filled = self.bytes.get(..self.end).unwrap_or_default();
        // SAFETY: the header's place is filled just above, the rest by `put` (field `end`).
        unsafe { slice::from_raw_parts(filled.as_ptr().cast(), filled.len()) }
    }

    /// Has it take no more, whatever comes: the message goes elsewhere.
    pub(crate) fn close(&mut self) {
        self.end = SMALL_FRAME + 1;
    }
}

impl Sink for SmallFrame {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        let end = self.end + bytes.len();
        let Some(place) = self.bytes.get_mut(self.end..end) else {
            return false;
        };
        // SAFETY: as many bytes of this frame, which nobody else has.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_mut_ptr().cast(), bytes.len()) };
        crate::step::reach("encode");
        self.end = end;
        true
    }
}

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

    /// For who asks for the checksum by [`finish`](Self::finish): large pieces are hashed where they
    /// come from, so that they need not be copied out again.
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
        // SAFETY: as many bytes from `next` on (`put` has checked) are free room of the ring that only
        // this process's one producer writes (`Producer::new`).
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
    /// process could write there. It never does if it is correct; if it does, the message is wrong that
    /// it gets.
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
