//! Why there is no segment.

use std::io;

/// Why a segment could not be made or opened.
#[derive(Debug)]
pub(crate) enum SegmentError {
    /// Nobody made it.
    Missing,
    /// The name is taken.
    Exists,
    /// Another user's.
    OtherUser { uid: u32 },
    /// Others than its owner, and whom this library lets in, can write it.
    OpenToOthers { uid: u32 },
    /// Its maker did not reserve its memory.
    Unreserved { reserved: u64, length: u64 },
    /// The file is shorter than expected.
    Truncated { length: u64, expected: u64 },
    /// No memory left in the file system.
    NoRoom { needed: u64, available: u64 },
    /// Another file came under the name between two looks; try again.
    Changed,
    /// A system call failed.
    System { action: &'static str, source: io::Error },
}

impl SegmentError {
    pub(crate) fn system(action: &'static str, source: impl Into<io::Error>) -> Self {
        Self::System { action, source: source.into() }
    }
}

impl std::fmt::Display for SegmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("its segment is gone"),
            Self::Exists => f.write_str("its segment exists already"),
            Self::OtherUser { uid } => write!(f, "its segment is user {uid}'s"),
            Self::OpenToOthers { uid } => {
                write!(f, "its segment is user {uid}'s, and others may have written it")
            }
            Self::Unreserved { reserved, length } => {
                write!(f, "of its {length} bytes {reserved} are reserved")
            }
            Self::Truncated { length, expected } => {
                write!(f, "its segment has {length} bytes instead of {expected}")
            }
            Self::NoRoom { needed, available } => {
                write!(f, "it needs {needed} bytes of shared memory, {available} are free")
            }
            Self::Changed => f.write_str("its segment changed under its name"),
            Self::System { action, source } => write!(f, "could not {action}: {source}"),
        }
    }
}
