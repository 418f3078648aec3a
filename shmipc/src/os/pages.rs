//! A segment's pages as this process has them mapped.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use shared_memory::Shmem;

use super::fork::Area;
use super::memory::{map_shared, unmap};

/// Pages of a segment.
pub(crate) enum Pages {
    /// Of one that this process made.
    Made(Shmem),
    /// Of one that another made: mapped from the very descriptor that was checked, as its name may
    /// lead somewhere else at any moment.
    Opened(Opened),
}

/// A mapping; ends when it is dropped.
pub(crate) struct Opened {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    /// Maps all `length` bytes of a file.
    pub(crate) fn map(file: &OwnedFd, length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let start = map_shared(file, length)?;
        Ok(Self::Opened(Opened { start, length }))
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        match self {
            Self::Made(shmem) => shmem.as_ptr(),
            Self::Opened(opened) => opened.start.as_ptr(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Made(shmem) => shmem.len(),
            Self::Opened(opened) => opened.length,
        }
    }
}

impl Area for Pages {
    fn start(&self) -> usize {
        self.as_ptr().addr()
    }

    fn length(&self) -> usize {
        self.len()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: mapped by `Pages::map`, with this length; whoever uses the memory keeps the
        // mapping alive (`Mapping`, which all of them share).
        unsafe { unmap(self.start, self.length) };
    }
}
