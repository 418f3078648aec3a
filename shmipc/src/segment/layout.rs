//! What every segment begins with, and how its constants are read.

use crate::sync::AtomicU64;

/// The first eight bytes of every segment, which its creator publishes last.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"shmipc\r\n");

/// The layout's version: goes up with every change of a segment's or a frame's layout.
pub(crate) const LAYOUT_VERSION: u32 = 2;

/// Bytes in a page; segments are whole pages. 64 KiB pages exist, but a multiple of 4 KiB serves:
/// the kernel rounds mappings up by itself.
pub(crate) const PAGE: usize = 4096;

/// Loads a number that the segment's maker wrote once; relaxed, as the magic was acquired before.
pub(crate) fn constant(word: &AtomicU64) -> u64 {
    word.load(crate::sync::Ordering::Relaxed)
}
