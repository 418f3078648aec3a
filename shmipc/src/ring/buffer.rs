//! Private memory for one frame, kept from message to message.

use crate::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};

/// A frame in private memory: header and payload in one piece, aligned as in the ring, so that large
/// payloads are copied between places that are aligned alike.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    room: Vec<u8>,
    /// Where the frame starts in `room`: at a multiple of [`FRAME_ALIGNMENT`] in memory.
    start: usize,
    /// Payload bytes.
    length: usize,
}

impl FrameBuffer {
    /// Room for a frame with this header and `length` payload bytes, whose content is left over from
    /// earlier frames.
    #[inline]
    pub(super) fn prepare(&mut self, header: [u8; HEADER_LENGTH], length: usize) -> &mut [u8] {
        let end = HEADER_LENGTH + length;
        if self.room.len() < self.start + end {
            self.grow(end);
        }
        self.length = length;
        let whole = &mut self.room[self.start..self.start + end];
        whole[..HEADER_LENGTH].copy_from_slice(&header);
        whole
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.room = vec![0; length.next_power_of_two() + FRAME_ALIGNMENT];
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
        if self.room.len() > kept + FRAME_ALIGNMENT {
            *self = Self::default();
        }
    }
}
