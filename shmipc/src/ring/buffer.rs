//! Private memory for one frame, kept from message to message.

use crate::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};

/// Bytes for alignment and for what is added to a round number of bytes on the way.
const SPARE: usize = 4 << 10;

/// A frame in private memory: header and payload in one piece, aligned as in the ring, in whole lines:
/// so payloads are copied between places that are aligned alike, and small ones in one piece.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    room: Vec<u8>,
    /// Where the frame starts in `room`: at a multiple of [`FRAME_ALIGNMENT`] in memory.
    start: usize,
    /// Payload bytes.
    length: usize,
}

impl FrameBuffer {
    /// Room for a frame with `length` payload bytes, in whole lines; what is in it is left over from
    /// earlier frames.
    #[inline]
    pub(super) fn prepare(&mut self, length: usize) -> &mut [u8] {
        let needed = (HEADER_LENGTH + length).next_multiple_of(FRAME_ALIGNMENT);
        if self.room.len() < self.start + needed {
            self.grow(needed);
        }
        self.length = length;
        &mut self.room[self.start..self.start + needed]
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        // A page more than a power of two, so that who keeps so many bytes keeps this.
        self.room = vec![0; length.next_power_of_two() + SPARE];
        // Where alignment cannot be told (it always can at run time) nothing is aligned, and right.
        let start = self.room.as_ptr().align_offset(FRAME_ALIGNMENT);
        self.start = if start < FRAME_ALIGNMENT { start } else { 0 };
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
