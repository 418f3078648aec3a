//! A small frame on its way into a ring: made in private memory.

#![allow(
    clippy::disallowed_methods,
    reason = "no memory but this process's own, a frame on its stack"
)]

use std::mem::MaybeUninit;
use std::{ptr, slice};

use crate::codec::Sink;
use crate::ring::frame::HEADER_LENGTH;

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
