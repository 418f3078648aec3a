//! Descriptors that stand in for others: for who will need one more, and for a forked child, which
//! must not keep its parent's.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::libc;

/// A descriptor with which nothing can be done. One of the calls that are allowed in a forked
/// child.
pub(crate) fn spare_descriptor() -> io::Result<OwnedFd> {
    // SAFETY: the path is a C string.
    let spare = unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    if spare < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(spare) })
}

/// For a forked child: closes `file` and puts a descriptor with which nothing can be done in its
/// place, because its owner still knows its number and will close it. `spare` is of
/// [`spare_descriptor`], where it gave one.
///
/// # Safety
/// `file` is an open descriptor of this process, and nobody uses it for what it led to.
pub(crate) unsafe fn put_in_place_of(spare: Option<&OwnedFd>, file: RawFd) {
    if let Some(spare) = spare {
        // SAFETY: an open descriptor, and the number that the caller vouches for.
        unsafe { libc::dup3(spare.as_raw_fd(), file, libc::O_CLOEXEC) };
        return;
    }
    // SAFETY: the caller's promise; its owner gets another of that number below.
    unsafe { libc::close(file) };
    // None was free, so this one most likely has the number that just became free.
    match spare_descriptor() {
        Ok(spare) if spare.as_raw_fd() == file => drop(spare.into_raw_fd()),
        Ok(spare) => {
            // SAFETY: an open descriptor, and a number that is the caller's.
            unsafe { libc::dup3(spare.as_raw_fd(), file, libc::O_CLOEXEC) };
        }
        // Where the system has no file left at all the number stays free: the owner closes nothing,
        // or what the child opens under it later, which then is an error of the child's.
        Err(_) => {}
    }
}

/// For a forked child: closes a descriptor whose owner is forgotten.
///
/// # Safety
/// `file` is an open descriptor of this process that nobody uses or closes any more.
pub(crate) unsafe fn close_forgotten(file: RawFd) {
    // SAFETY: the caller's promise.
    unsafe { libc::close(file) };
}
