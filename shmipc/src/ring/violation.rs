//! What no correct peer writes into a lane.

use super::frame::FrameError;

/// What the other side of a lane wrote that no correct peer writes. Ends the link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("position {found}, expected a multiple of 64 from {least} to {most}")]
    Position { found: u64, least: u64, most: u64 },
    #[error("a frame of {length} bytes at position {position}, where {available} are there")]
    Length { length: u64, position: u64, available: u64 },
    #[error("at position {position}: {error}")]
    Frame { position: u64, error: FrameError },
    #[error("{0}")]
    Sequence(&'static str),
    #[error("a message of {length} bytes, the link's maximum is {maximum}")]
    TooLarge { length: u64, maximum: u64 },
}
