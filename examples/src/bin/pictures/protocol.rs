//! Pictures on their way to a viewer.

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What may be said to a viewer.
///
/// The pixels are borrowed on both sides: they are encoded from where the sender has them, and the
/// viewer's handler reads them where they were received, without a copy in between.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub(crate) enum Picture<'a> {
    /// Show a picture; the reply is the CRC-32 of the pixels that arrived.
    #[shm(reply = Result<u32, PictureError>)]
    Show {
        width: u32,
        height: u32,
        samples: Samples,
        #[serde(borrow, with = "serde_bytes")]
        pixels: &'a [u8],
    },
    /// Write the picture shown last to the viewer's file; the reply is the file's path.
    #[shm(reply = Result<String, PictureError>)]
    Keep,
}

/// What a pixel consists of, eight bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Samples {
    Gray,
    Rgb,
}

impl Samples {
    /// Bytes that a picture of this size has.
    pub(crate) fn length(self, width: u32, height: u32) -> u64 {
        let each = match self {
            Self::Gray => 1,
            Self::Rgb => 3,
        };
        // 2^32 × 2^32 × 3 does not fit; no picture has so many.
        (u64::from(width) * u64::from(height)).saturating_mul(each)
    }
}

/// Why a picture was not shown or not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("a picture of this size has {expected} bytes, {got} came")]
    WrongLength { expected: u64, got: u64 },
    #[error("no picture was shown yet")]
    NothingShown,
    #[error("cannot write {path}: {why}")]
    NotWritten { path: String, why: String },
}
