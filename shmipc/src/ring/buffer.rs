//! Private memory for what comes out of a ring, kept from message to message.
//!
//! A message begins with its variant's number (4 bytes), and a field that borrows with its length
//! (8 bytes): its bytes begin 12 bytes behind the message's start. Both buffers put that place at a
//! multiple of [`ALIGNMENT`]; the derive's docs promise it.

use crate::ring::foreign::Place;
use crate::ring::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};

/// Where the bytes of a message's first field begin, if it borrows: at a multiple of so many bytes.
const ALIGNMENT: usize = 16;
/// Bytes from a message's start to there.
const BEFORE_FIELD: usize = size_of::<u32>() + size_of::<u64>();
/// From a multiple of 64 to the start of a frame in private memory.
const SKEW: usize = ALIGNMENT - (HEADER_LENGTH + BEFORE_FIELD) % ALIGNMENT;
/// Bytes for alignment and for what is added to a round number of bytes on the way.
const SPARE: usize = 4 << 10;
/// Copies of so many bytes and more are steered clear of pages' offsets that are almost the same.
const LARGE: usize = 2 << 10;

/// A frame in private memory: header and payload in one piece, in whole lines, so that small ones
/// are copied in one piece.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    room: Vec<u8>,
    /// From `room`'s start to its first place that is [`SKEW`] behind a multiple of 64.
    first: usize,
    /// Where the frame starts in `room`: at `first`, or a line behind it.
    start: usize,
    /// Payload bytes.
    length: usize,
}

impl FrameBuffer {
    /// Room for a frame with `length` payload bytes, in whole lines, which is about to come from
    /// `source`; what is in it is left over from earlier frames.
    #[inline]
    pub(super) fn prepare(&mut self, length: usize, source: Place) -> &mut [u8] {
        let needed = (HEADER_LENGTH + length).next_multiple_of(FRAME_ALIGNMENT);
        if self.room.len() < self.first + FRAME_ALIGNMENT + needed {
            self.grow(needed);
        }
        self.length = length;
        self.start = self.first;
        if length >= LARGE {
            self.start += self.detour(source);
        }
        &mut self.room[self.start..self.start + needed]
    }

    /// A line, if the target would lie in its page a few bytes behind where the source lies in its
    /// own: such copies take many times as long on processors that take one for the other.
    fn detour(&self, source: Place) -> usize {
        let target = self.room.as_ptr().addr().wrapping_add(self.first);
        let apart = target.wrapping_sub(source.addr()) % SPARE;
        if apart < FRAME_ALIGNMENT { FRAME_ALIGNMENT } else { 0 }
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        // A page more than a power of two, so that who keeps so many bytes keeps this.
        self.room = vec![0; length.next_power_of_two() + SPARE];
        self.first = SKEW + FRAME_ALIGNMENT - self.room.as_ptr().addr() % FRAME_ALIGNMENT;
    }

    /// The last frame's payload.
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        let start = self.start + HEADER_LENGTH;
        self.room.get(start..start + self.length).unwrap_or(&[])
    }

    /// Gives memory beyond `kept` bytes back, and the last frame with it.
    #[inline]
    pub(crate) fn trim(&mut self, kept: usize) {
        if self.room.len() > kept + SPARE {
            *self = Self::default();
        }
    }
}

/// A message that comes in pieces, behind its length in eight bytes.
#[derive(Default)]
pub(crate) struct Assembly {
    bytes: Vec<u8>,
    /// Where the length starts in `bytes`.
    start: usize,
}

impl Assembly {
    /// Bytes of the length that stands before the message.
    pub(crate) const PREFIX: usize = 8;

    /// The pieces so far, the length first.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }

    /// Appends a piece of `length` bytes that `fill` writes to where it is told, and gives it.
    ///
    /// # Safety
    /// `fill` writes all of the bytes.
    pub(super) unsafe fn append(&mut self, length: usize, fill: impl FnOnce(*mut u8)) -> &[u8] {
        self.bytes.reserve(length + ALIGNMENT);
        self.align();
        let end = self.bytes.len();
        fill(self.bytes.spare_capacity_mut().as_mut_ptr().cast());
        // SAFETY: `align` used up less than [`ALIGNMENT`] of what was reserved, and `fill` wrote
        // the rest (contract); the bytes up to `end` were initialised before.
        unsafe { self.bytes.set_len(end + length) };
        &self.bytes[end..]
    }

    /// Moves the pieces to where they are aligned. Only after the memory has moved, and hardly ever
    /// then: allocators align by 16 anyway.
    fn align(&mut self) {
        let field = self.bytes.as_ptr().addr().wrapping_add(Self::PREFIX + BEFORE_FIELD);
        let start = field.wrapping_neg() % ALIGNMENT;
        let held = self.as_slice().len();
        if held == 0 {
            self.bytes.clear();
            self.bytes.resize(start, 0);
        } else if start != self.start {
            let end = self.bytes.len();
            self.bytes.resize(end.max(start + held), 0);
            self.bytes.copy_within(self.start..end, start);
            self.bytes.truncate(start + held);
        }
        self.start = start;
    }

    /// Forgets the pieces; the memory is kept.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Gives memory beyond `kept` bytes back.
    #[inline]
    pub(crate) fn shrink_to(&mut self, kept: usize) {
        if self.bytes.capacity() > kept {
            self.bytes.shrink_to(kept);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Allocators that align by 16 anyway never move what was assembled; the code must not trust
    /// that.
    #[test]
    fn pieces_that_moved_are_aligned_again() {
        let mut assembly = Assembly::default();
        let mut expected = Vec::new();
        for round in 0..200_u8 {
            // As if the memory had come from elsewhere.
            if round % 3 == 1 {
                let skew = usize::from(round) % ALIGNMENT;
                let held = assembly.as_slice().to_vec();
                assembly.bytes = [vec![0xee; skew], held].concat();
                assembly.start = skew;
            }
            let length = usize::from(round) * 7 % 50;
            // SAFETY: `append` gives room for so many.
            let fill = |target| unsafe { std::ptr::write_bytes(target, round, length) };
            // SAFETY: all of the bytes are written.
            let piece = unsafe { assembly.append(length, fill) };
            assert_eq!(piece, vec![round; length]);
            expected.extend_from_slice(piece);
            assert_eq!(assembly.as_slice(), expected);
            let field = assembly.as_slice().as_ptr().addr() + Assembly::PREFIX + BEFORE_FIELD;
            assert_eq!(field % ALIGNMENT, 0);
            if round == 120 {
                assembly.clear();
                expected.clear();
                assert!(assembly.as_slice().is_empty());
            }
        }
    }
}
