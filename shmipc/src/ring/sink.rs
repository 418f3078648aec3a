//! Where a producer's payload goes: to private memory, or straight into the ring.

use super::producer::{Label, SMALL_FRAME};
use super::{Lane, Place};
use crate::codec::Sink;
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

/// Payload bytes on their way into the ring, behind the place of their header.
pub(super) struct RingSink {
    /// Where the payload starts.
    payload: Place,
    /// Payload bytes for which there is room.
    room: usize,
    written: usize,
}

impl RingSink {
    /// For a frame at `start`, where `room` contiguous bytes are free, at least 16.
    #[inline]
    pub(super) fn new(lane: &Lane, start: u64, room: u64) -> Self {
        debug_assert!(room >= HEADER_LENGTH as u64 && room <= lane.to_end(start));
        let payload = lane.payload_address(start);
        Self { payload, room: room as usize - HEADER_LENGTH, written: 0 }
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

    /// The header and checksum of what was written. Hashed at the end and in one go: hashing block by
    /// block while copying halved the rate of large messages.
    pub(super) fn finish(self, label: Label, checksums: Checksums) -> (Header, u32) {
        // At most half a ring, which fits a u32 (`MAXIMUM_CAPACITY`).
        let header = label.header(self.written as u32);
        if checksums == Checksums::Off {
            return (header, 0);
        }
        // SAFETY: just written, inside the data. The consumer's process could change the bytes, which
        // it never does if it is correct; they are only hashed, so a wrong one costs a wrong checksum.
        let checksum =
            unsafe { self.payload.show(self.written, |payload| header.checksum(payload)) };
        (header, checksum)
    }
}

impl Sink for RingSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room - self.written {
            return false;
        }
        self.copy(bytes);
        true
    }
}
