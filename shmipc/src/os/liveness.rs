//! Who is alive, as the kernel knows it: an open-file-description lock on one byte of a segment,
//! held for as long as its process (in fact: this link's descriptor in it) lives. It is released at
//! any kind of death, works across pid namespaces, and no reuse of pids can fool it. A stopped
//! process keeps it: slowness is not death.

use std::io;
use std::os::fd::OwnedFd;

use super::lock;

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
/// In both: the byte of who cleans up after a dead maker. It takes the maker's byte too, for a
/// moment, and by this one others know that no maker lives.
pub(crate) const CLEANER_BYTE: i64 = 8;
/// In a registry: the byte of the first hand-over slot, held by the client that claimed it.
pub(crate) const FIRST_SLOT_BYTE: i64 = 16;

/// Where the locks on a segment's bytes are held: in an open file description. In models, where
/// there is no kernel, in a table.
pub(crate) trait Locks {
    fn try_lock(&self, byte: i64) -> io::Result<bool>;
    fn unlock(&self, byte: i64) -> io::Result<()>;
    /// Does somebody else hold it?
    fn is_locked(&self, byte: i64) -> io::Result<bool>;
    /// Signs it with this process's pid.
    fn sign(&self, byte: i64) -> io::Result<()>;
    /// Who signed it.
    fn signer(&self, byte: i64) -> Option<u32>;
}

impl Locks for OwnedFd {
    fn try_lock(&self, byte: i64) -> io::Result<bool> {
        lock::try_lock_byte(self, byte)
    }

    fn unlock(&self, byte: i64) -> io::Result<()> {
        lock::unlock_byte(self, byte)
    }

    fn is_locked(&self, byte: i64) -> io::Result<bool> {
        lock::is_byte_locked(self, byte)
    }

    fn sign(&self, byte: i64) -> io::Result<()> {
        lock::sign_byte(self, byte)
    }

    fn signer(&self, byte: i64) -> Option<u32> {
        lock::byte_signer(self, byte)
    }
}

/// Takes the lock that says "I live". `false`: somebody else holds it.
pub(crate) fn claim(file: &impl Locks, byte: i64) -> io::Result<bool> {
    file.try_lock(byte)
}

/// Gives up a claim that was only taken for a moment.
pub(crate) fn release(file: &impl Locks, byte: i64) {
    // An error can only mean that the descriptor is not a file, and then nothing was claimed.
    drop(file.unlock(byte));
}

/// Has the kernel remember this process's pid for whoever asks [`signer`]. It forgets it when this
/// process closes any descriptor of the file: so the last thing to do before the peer looks, and of
/// no use as a sign of life.
pub(crate) fn sign(file: &impl Locks, byte: i64) {
    // Where it fails the peer does without: it trusts no pid and looks at the locks more often.
    drop(file.sign(byte));
}

/// The pid of the process that signed, in this process's pid namespace, if it has one there.
pub(crate) fn signer(file: &impl Locks, byte: i64) -> Option<u32> {
    file.signer(byte)
}

/// Does the holder of `byte` live? If the kernel cannot be asked, it counts as living: an error is
/// no death, and every wait has its deadline.
pub(crate) fn is_alive(file: &impl Locks, byte: i64) -> bool {
    file.is_locked(byte).unwrap_or(true)
}
