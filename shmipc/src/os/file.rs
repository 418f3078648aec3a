//! Shared files: opened by name, looked at, reserved, given to others. Nobody here waits for
//! anybody, and what is looked at is what was opened.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::mman;
use nix::sys::stat::Mode;

/// What the kernel tells of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileFacts {
    /// Device and inode: the file's identity, whatever its name.
    pub(crate) identity: (u64, u64),
    /// The owner's user id.
    pub(crate) uid: u32,
    /// The group's id.
    pub(crate) gid: u32,
    /// Its names.
    pub(crate) links: u64,
    /// Bytes in the file.
    pub(crate) length: u64,
    /// Bytes of it that have memory: less than its length where parts were never written.
    pub(crate) reserved: u64,
    /// What its owner lets himself, the group and others do with it.
    pub(crate) mode: u32,
    /// Is it a file at all?
    pub(crate) is_file: bool,
    /// Time since it was last written, as the file system's clock tells.
    pub(crate) modified: std::time::SystemTime,
}

/// What [`named_facts`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedFacts {
    /// As in [`FileFacts`].
    pub(crate) identity: (u64, u64),
    /// As in [`FileFacts`].
    pub(crate) uid: u32,
    /// As in [`FileFacts`].
    pub(crate) modified: std::time::SystemTime,
}

/// Where shared memory objects are files.
const SHM_DIRECTORY: &str = "/dev/shm";

/// Bytes of the longest name that a file can have.
const LONGEST_NAME: usize = 255;

/// Bytes in a block as `stat` counts them, whatever the file system's own are.
const BLOCK: u64 = 512;

/// Opens an existing shared memory object for reading and writing. It is not inherited by programs
/// that this process executes. Waits for nobody: who owns the file could hold a lease on it, which
/// keeps an opener for 45 seconds (`WouldBlock` here); and what is mapped is what was opened here.
pub(crate) fn open_shm(name: &str) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    mman::shm_open(name, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::EWOULDBLOCK => io::Error::new(
            io::ErrorKind::WouldBlock,
            format!(
                "the owner of /dev/shm/{} holds a lease on it: have it removed",
                name.trim_start_matches('/')
            ),
        ),
        errno => errno.into(),
    })
}

/// Removes a shared memory object's name; whoever holds it open keeps it. No such name is fine.
pub(crate) fn unlink_shm(name: &str) -> io::Result<()> {
    match mman::shm_unlink(name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// What the kernel tells of an open file.
pub(crate) fn file_facts(file: &OwnedFd) -> io::Result<FileFacts> {
    let stat = nix::sys::stat::fstat(file)?;
    let age = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    Ok(FileFacts {
        identity: (wide(stat.st_dev), wide(stat.st_ino)),
        uid: stat.st_uid,
        gid: stat.st_gid,
        links: wide(stat.st_nlink),
        length: u64::try_from(stat.st_size).unwrap_or(0),
        reserved: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK),
        mode: stat.st_mode & 0o7777,
        is_file: stat.st_mode & libc::S_IFMT == libc::S_IFREG,
        modified: std::time::UNIX_EPOCH + age,
    })
}

/// What the kernel tells of a shared memory object's name without opening what it leads to: device
/// and inode, and the owner. `NotFound`: no such name.
pub(crate) fn named_facts(name: &str) -> io::Result<NamedFacts> {
    // On the stack: a server's listener asks once a second, and allocates nothing.
    let mut path = [0; SHM_DIRECTORY.len() + 1 + LONGEST_NAME];
    let length = SHM_DIRECTORY.len() + 1 + name.len();
    let place = path.get_mut(..length).ok_or(io::ErrorKind::InvalidInput)?;
    let (directory, rest) = place.split_at_mut(SHM_DIRECTORY.len());
    directory.copy_from_slice(SHM_DIRECTORY.as_bytes());
    rest[0] = b'/';
    rest[1..].copy_from_slice(name.as_bytes());
    let found = nix::sys::stat::lstat(&*place)?;
    let age = Duration::new(
        u64::try_from(found.st_mtime).unwrap_or(0),
        u32::try_from(found.st_mtime_nsec).unwrap_or(0),
    );
    Ok(NamedFacts {
        identity: (wide(found.st_dev), wide(found.st_ino)),
        uid: found.st_uid,
        modified: std::time::UNIX_EPOCH + age,
    })
}

/// Reads all of `bytes` from a place in a file. Closes nothing: that would take this process's
/// signature ([`super::lock::sign_byte`]) from the file.
pub(crate) fn read_at(file: &OwnedFd, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `file` is borrowed, and is not closed here.
    let file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(file.as_raw_fd()) });
    file.read_exact_at(bytes, offset)
}

/// Reserves memory for the first `length` bytes of a file, so that touching them later cannot fail.
/// The error is `StorageFull` where there is no room.
pub(crate) fn reserve(file: &OwnedFd, length: u64) -> io::Result<()> {
    /// What a signal that interrupts a call costs at most: the call's pages are undone, so that all
    /// in one call would never be done in a process with a fast timer.
    const PIECE: libc::off_t = 1 << 20;
    // A call for all would be refused before it takes anything; pieces would take all there is.
    let facts = file_facts(file)?;
    // Of a longer file other parts may be what is reserved.
    let held = if facts.length <= length { facts.reserved } else { 0 };
    if length.saturating_sub(held) > free_room(file) && has_a_limit(file) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let length = libc::off_t::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut done = 0;
    while done < length {
        match nix::fcntl::posix_fallocate(file, done, PIECE.min(length - done)) {
            Ok(()) => done += PIECE,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Does the file system tell how much room it has? One of memory that was given no limit tells
/// nothing.
fn has_a_limit(file: &OwnedFd) -> bool {
    nix::sys::statvfs::fstatvfs(file).is_ok_and(|stat| stat.blocks() > 0)
}

/// Bytes free in the file system that holds `file`.
pub(crate) fn free_room(file: &OwnedFd) -> u64 {
    nix::sys::statvfs::fstatvfs(file)
        .map_or(0, |stat| wide(stat.blocks_available()).saturating_mul(wide(stat.fragment_size())))
}

/// Gives a file of this user to one of the user's groups.
pub(crate) fn set_group(file: &OwnedFd, gid: u32) -> io::Result<()> {
    Ok(nix::unistd::fchown(file, None, Some(nix::unistd::Gid::from_raw(gid)))?)
}

/// The access list of a file, if it has one of at most `most` bytes.
pub(crate) fn access_list(file: &OwnedFd, most: usize) -> Option<Vec<u8>> {
    let mut list = vec![0; most];
    // SAFETY: the name is a C string; the kernel writes no more than it is told there is room for.
    let length = unsafe {
        libc::fgetxattr(
            file.as_raw_fd(),
            c"system.posix_acl_access".as_ptr(),
            list.as_mut_ptr().cast(),
            list.len(),
        )
    };
    list.truncate(usize::try_from(length).ok()?);
    Some(list)
}

/// Sets a file's access list.
pub(crate) fn set_access_list(file: &OwnedFd, list: &[u8]) -> io::Result<()> {
    // SAFETY: the name is a C string, the list is as long as said; the kernel only reads both.
    let result = unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            c"system.posix_acl_access".as_ptr(),
            list.as_ptr().cast(),
            list.len(),
            0,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A number whose type has another width on other machines.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Does the system have shared memory at all?
pub(crate) fn has_shared_memory() -> bool {
    std::fs::metadata(SHM_DIRECTORY).is_ok()
}

/// The directory of shared memory objects, to be walked through.
pub(crate) fn shm_directory() -> io::Result<std::fs::ReadDir> {
    std::fs::read_dir(SHM_DIRECTORY)
}
