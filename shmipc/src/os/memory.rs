//! Mappings: of shared files, and what a forked child gets in their place.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use nix::libc;
use nix::sys::mman;

/// Maps the first `length` bytes of a file, shared. It is the very file of this descriptor,
/// whatever became of its name.
pub(crate) fn map_shared(file: &OwnedFd, length: usize) -> io::Result<NonNull<u8>> {
    let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
    let protection = mman::ProtFlags::PROT_READ | mman::ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, at an address of the kernel's choice: nothing that is there changes.
    let start =
        unsafe { mman::mmap(None, length, protection, mman::MapFlags::MAP_SHARED, file, 0) };
    Ok(start?.cast())
}

/// Ends what [`map_shared`] began.
///
/// # Safety
/// `start` and `length` are of one `map_shared`, and nobody uses its memory from here on.
pub(crate) unsafe fn unmap(start: NonNull<u8>, length: usize) {
    // SAFETY: the caller's promise.
    let unmapped = unsafe { mman::munmap(start.cast(), length) };
    debug_assert!(unmapped.is_ok(), "it can only fail for what is no mapping");
}

/// For a forked child: puts private, empty pages in the place of what is mapped.
///
/// # Safety
/// `length` bytes from `start` on are one mapping of this process, which may be zeroed at any time.
pub(crate) unsafe fn replace_by_empty_pages(start: usize, length: usize) {
    let place = std::ptr::without_provenance_mut::<libc::c_void>(start);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: only what the caller vouches for is replaced. If it fails, the child keeps the pages,
    // and still uses nothing of them (`fork::is_inherited`).
    unsafe { libc::mmap(place, length, protection, flags, -1, 0) };
}

/// A word in a page of its own that reads zero in every child that has memory of its own, however
/// it was made. It lives as long as the program. `None` where the system cannot do that.
pub(crate) fn wiped_page() -> Option<&'static AtomicU32> {
    const LENGTH: usize = size_of::<AtomicU32>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, of which the kernel makes a whole page.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping made above.
    if unsafe { libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nobody knows of it yet.
        unsafe { libc::munmap(page, LENGTH) };
        return None;
    }
    // SAFETY: aligned to a page, zeroed, and never unmapped from here on.
    Some(unsafe { &*page.cast::<AtomicU32>() })
}
