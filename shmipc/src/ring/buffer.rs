//! Private memory for one frame, kept from message to message.

use crate::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};

/// Bytes for alignment and for what is added to a round number of bytes on the way.
const SPARE: usize = 4 << 10;

/// A frame in private memory: the payload, aligned as in the ring, so that large payloads are copied
/// between places that are aligned alike; and room for the header right behind it, for the checksum.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    room: Vec<u8>,
    /// Where the payload starts in `room`: [`HEADER_LENGTH`] bytes behind a multiple of
    /// [`FRAME_ALIGNMENT`] in memory.
    start: usize,
    /// Payload bytes.
    length: usize,
}

impl FrameBuffer {
    /// Room for `length` payload bytes and a header behind them; what is in it is left over from
    /// earlier frames.
    #[inline]
    pub(super) fn prepare(&mut self, length: usize) -> &mut [u8] {
        let needed = length + HEADER_LENGTH;
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
        let line = self.room.as_ptr().align_offset(FRAME_ALIGNMENT);
        self.start = HEADER_LENGTH + if line < FRAME_ALIGNMENT { line } else { 0 };
    }

    /// The last frame's payload.
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        self.room.get(self.start..self.start + self.length).unwrap_or(&[])
    }

    /// Gives memory beyond `kept` bytes back, and the last frame with it.
    #[inline]
    pub(crate) fn trim(&mut self, kept: usize) {
        if self.room.len() > kept + SPARE {
            *self = Self::default();
        }
    }
}
