//! Who is alive, as the kernel knows it: an open-file-description lock on one byte of a segment,
//! held for as long as its process (in fact: this link's descriptor in it) lives. It is released at
//! any kind of death, works across pid namespaces, and no reuse of pids can fool it. A stopped
//! process keeps it: slowness is not death.

use std::io;
use std::os::fd::OwnedFd;

use crate::sys;

/// The byte whose lock says that the registry's server lives.
pub(crate) const SERVER_BYTE: i64 = 0;
/// In a link: the byte of the client that made it.
pub(crate) const LINK_CLIENT_BYTE: i64 = 0;
/// In a link: the byte of the server that took it.
pub(crate) const LINK_SERVER_BYTE: i64 = 1;
/// In a link: the byte that the client's process signed, so that the kernel tells its pid.
pub(crate) const CLIENT_PID_BYTE: i64 = 2;
/// In a link: the byte that the server's process signed.
pub(crate) const SERVER_PID_BYTE: i64 = 3;
/// In a registry: the byte of the first hand-over slot, held by the client that claimed it.
pub(crate) const FIRST_SLOT_BYTE: i64 = 16;

/// Takes the lock that says "I live". `false`: somebody else holds it.
pub(crate) fn claim(file: &OwnedFd, byte: i64) -> io::Result<bool> {
    sys::try_lock_byte(file, byte)
}

/// Gives up a claim that was only taken for a moment.
pub(crate) fn release(file: &OwnedFd, byte: i64) {
    // An error can only mean that the descriptor is not a file, and then nothing was claimed.
    drop(sys::unlock_byte(file, byte));
}

/// Has the kernel remember this process's pid for whoever asks [`signer`]. It forgets it when this
/// process closes any descriptor of the file: so the last thing to do before the peer looks, and of no
/// use as a sign of life.
pub(crate) fn sign(file: &OwnedFd, byte: i64) {
    // Where it fails the peer does without: it trusts no pid and looks at the locks more often.
    drop(sys::sign_byte(file, byte));
}

/// The pid of the process that signed, in this process's pid namespace, if it has one there.
pub(crate) fn signer(file: &OwnedFd, byte: i64) -> Option<u32> {
    sys::byte_signer(file, byte)
}

/// Does the holder of `byte` live? If the kernel cannot be asked, it counts as living: an error is
/// no death, and every wait has its deadline.
pub(crate) fn is_alive(file: &OwnedFd, byte: i64) -> bool {
    sys::is_byte_locked(file, byte).unwrap_or(true)
}
