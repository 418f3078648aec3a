//! Locks on single bytes of a file, as the kernel keeps them: of an open file description, which
//! end with it, however the process ends; and of a process, which tell who it is.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::libc;

fn byte_range(byte: i64, kind: i32) -> libc::flock {
    // SAFETY: `flock` is plain numbers; all zeros is one of its values. Open-file-description locks
    // want `l_pid` to be zero.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as i16;
    range.l_whence = libc::SEEK_SET as i16;
    range.l_start = byte as libc::off_t;
    range.l_len = 1;
    range
}

/// Tries to lock a byte of a file for this open file description. The kernel holds the lock until
/// the description is closed, however the process ends. `false`: somebody else has it.
pub(crate) fn try_lock_byte(file: &OwnedFd, byte: i64) -> io::Result<bool> {
    let range = byte_range(byte, libc::F_WRLCK);
    match nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives a byte's lock back.
pub(crate) fn unlock_byte(file: &OwnedFd, byte: i64) -> io::Result<()> {
    let range = byte_range(byte, libc::F_UNLCK);
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&range))?;
    Ok(())
}

/// Does another open file description hold the byte's lock?
pub(crate) fn is_byte_locked(file: &OwnedFd, byte: i64) -> io::Result<bool> {
    let mut range = byte_range(byte, libc::F_WRLCK);
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_GETLK(&mut range))?;
    Ok(i32::from(range.l_type) != libc::F_UNLCK)
}

/// Locks a byte of a file for this *process*, so that others can ask who it is. Unlike the locks of
/// open file descriptions it goes when the process closes any descriptor of the file.
pub(crate) fn sign_byte(file: &OwnedFd, byte: i64) -> io::Result<()> {
    let range = byte_range(byte, libc::F_WRLCK);
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_SETLK(&range))?;
    Ok(())
}

/// The id of the process that signed a byte, as it is in this process's pid namespace. `None`:
/// nobody did, it was this very process, or it has no id in this namespace.
pub(crate) fn byte_signer(file: &OwnedFd, byte: i64) -> Option<u32> {
    let mut range = byte_range(byte, libc::F_WRLCK);
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_GETLK(&mut range)).ok()?;
    let locked = i32::from(range.l_type) != libc::F_UNLCK;
    u32::try_from(range.l_pid).ok().filter(|pid| locked && *pid != 0)
}
