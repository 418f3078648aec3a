//! Every system call of this crate, each behind a function that cannot be called wrongly.

mod ending;
pub(crate) mod fork;
mod futex;
pub(crate) mod liveness;
pub(crate) mod pages;
mod scheduling;
pub(crate) mod thread;
pub(crate) mod wait;
pub(crate) mod watch;

use std::io;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::mman;
use nix::sys::stat::Mode;

pub(crate) use ending::is_ending;
pub(crate) use futex::{Woken, futex_wait, futex_wait_both, futex_wake, futex_wake_own};
pub(crate) use scheduling::{SignalsBlocked, reset_scheduling};

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

/// Bytes in a block as `stat` counts them, whatever the file system's own are.
const BLOCK: u64 = 512;

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

/// A number whose type has another width on other machines.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Where shared memory objects are files.
const SHM_DIRECTORY: &str = "/dev/shm";
/// Bytes of the longest name that a file can have.
const LONGEST_NAME: usize = 255;

/// What the kernel tells of a shared memory object's name without opening what it leads to: device and inode,
/// and the owner. `NotFound`: no such name.
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

/// Maps the first `length` bytes of a file, shared. It is the very file of this descriptor, whatever became of
/// its name.
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

/// Reads all of `bytes` from a place in a file. Closes nothing: that would take this process's signature
/// ([`sign_byte`]) from the file.
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

/// Does the file system tell how much room it has? One of memory that was given no limit tells nothing.
fn has_a_limit(file: &OwnedFd) -> bool {
    nix::sys::statvfs::fstatvfs(file).is_ok_and(|stat| stat.blocks() > 0)
}

/// Bytes free in the file system that holds `file`.
pub(crate) fn free_room(file: &OwnedFd) -> u64 {
    nix::sys::statvfs::fstatvfs(file)
        .map_or(0, |stat| wide(stat.blocks_available()).saturating_mul(wide(stat.fragment_size())))
}

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

/// The id of the process that signed a byte, as it is in this process's pid namespace. `None`: nobody
/// did, it was this very process, or it has no id in this namespace.
pub(crate) fn byte_signer(file: &OwnedFd, byte: i64) -> Option<u32> {
    let mut range = byte_range(byte, libc::F_WRLCK);
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_GETLK(&mut range)).ok()?;
    let locked = i32::from(range.l_type) != libc::F_UNLCK;
    u32::try_from(range.l_pid).ok().filter(|pid| locked && *pid != 0)
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

/// A descriptor that is of no use but to be given up for another.
pub(crate) fn spare_descriptor() -> io::Result<OwnedFd> {
    let nothing = open_nothing();
    if nothing < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(nothing) })
}

/// For a forked child: a descriptor with which nothing can be done, or -1 where none is free.
pub(crate) fn open_nothing() -> RawFd {
    // SAFETY: the path is a C string. One of the calls that are allowed in a forked child.
    unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) }
}

/// Closes what [`open_nothing`] gave.
pub(crate) fn close_nothing(nothing: RawFd) {
    if nothing >= 0 {
        // SAFETY: opened for this, and known to nobody else.
        unsafe { libc::close(nothing) };
    }
}

/// For a forked child: closes `file` and puts a descriptor with which nothing can be done in its
/// place, because its owner still knows its number and will close it.
pub(crate) fn put_in_place_of(nothing: RawFd, file: RawFd) {
    let stand_in = if nothing >= 0 {
        nothing
    } else {
        // SAFETY: an open descriptor of this process; its owner gets another of that number below.
        unsafe { libc::close(file) };
        // None was free, so this one most likely has the number that just became free.
        open_nothing()
    };
    if stand_in >= 0 && stand_in != file {
        // SAFETY: an open descriptor, and a number that is the segment's, open or not.
        unsafe { libc::dup3(stand_in, file, libc::O_CLOEXEC) };
        if stand_in != nothing {
            close_nothing(stand_in);
        }
    }
    // Where the system has no file left at all the number stays free: the owner closes nothing, or what
    // the child opens under it later, which then is an error of the child's.
}

/// For a forked child: closes a descriptor whose owner is forgotten.
pub(crate) fn close_forgotten(file: RawFd) {
    // SAFETY: an open descriptor that nobody closes any more (`watch::Watcher::forget_all`).
    unsafe { libc::close(file) };
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

/// A word in a page of its own that reads zero in every child that has memory of its own, however it was
/// made. It lives as long as the program. `None` where the system cannot do that.
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

/// A time as the system takes it: at most the 68 years that it can count everywhere.
pub(crate) fn timespec(time: Duration) -> libc::timespec {
    const LONGEST: Duration = Duration::from_secs(i32::MAX as u64);
    *nix::sys::time::TimeSpec::from_duration(time.min(LONGEST)).as_ref()
}

/// A descriptor that becomes readable when the process ends.
pub(crate) fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: takes two numbers and touches no memory; CLOEXEC is the system's default for it.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened and that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Processors of the machine that are in use.
pub(crate) fn processors() -> u64 {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    count.ok().flatten().and_then(|count| u64::try_from(count).ok()).unwrap_or(1)
}

/// The processor that this thread runs on just now; a few nanoseconds with a C library that knows
/// restartable sequences. `None` where the system does not tell.
#[inline]
pub(crate) fn current_cpu() -> Option<u32> {
    if cfg!(loom) {
        // Models run the same way each time.
        return None;
    }
    // SAFETY: takes nothing and touches no memory of ours.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// 128 random bits from the system.
pub(crate) fn random_u128() -> io::Result<u128> {
    let mut bytes = [0; 16];
    // SAFETY: the buffer is 16 bytes long, as said. Requests of up to 256 bytes are never cut short
    // once the system's generator is ready, which the call waits for.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 16 { Ok(u128::from_ne_bytes(bytes)) } else { Err(io::Error::last_os_error()) }
}

/// This process's effective user.
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// This process's effective group.
pub(crate) fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// Does the system have shared memory at all?
pub(crate) fn has_shared_memory() -> bool {
    std::fs::metadata(SHM_DIRECTORY).is_ok()
}

/// The directory of shared memory objects, to be walked through.
pub(crate) fn shm_directory() -> io::Result<std::fs::ReadDir> {
    std::fs::read_dir(SHM_DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> (String, OwnedFd, OwnedFd) {
        let name = format!("shmipc.test.{:032x}", random_u128().unwrap());
        let made = mman::shm_open(
            name.as_str(),
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )
        .unwrap();
        let again = open_shm(&name).unwrap();
        (name, made, again)
    }

    #[test]
    fn a_byte_locked_by_one_description_is_seen_by_the_other_until_it_is_closed() {
        let (name, first, second) = object();
        assert!(try_lock_byte(&first, 3).unwrap());
        assert!(is_byte_locked(&second, 3).unwrap());
        assert!(!is_byte_locked(&second, 4).unwrap());
        assert!(!is_byte_locked(&first, 3).unwrap(), "one's own lock is not somebody else's");
        assert!(!try_lock_byte(&second, 3).unwrap());
        drop(first);
        assert!(!is_byte_locked(&second, 3).unwrap());
        unlink_shm(&name).unwrap();
        unlink_shm(&name).unwrap();
    }

    #[test]
    fn a_map_is_of_the_file_that_was_opened_whatever_has_its_name() {
        let (name, file, _) = object();
        reserve(&file, 4096).unwrap();
        let identity = named_facts(&name).unwrap().identity;
        assert_eq!(identity, file_facts(&file).unwrap().identity);
        unlink_shm(&name).unwrap();
        assert_eq!(named_facts(&name).unwrap_err().kind(), io::ErrorKind::NotFound);
        let start = map_shared(&file, 4096).unwrap();
        // SAFETY: a page was mapped there.
        unsafe { start.write(7) };
        let mut byte = [0];
        read_at(&file, &mut byte, 0).unwrap();
        assert_eq!(byte, [7]);
        // SAFETY: mapped above; nobody uses it any more.
        unsafe { unmap(start, 4096) };
        assert!(map_shared(&file, 0).is_err());
    }

    #[test]
    fn reading_closes_nothing_so_a_signature_stays() {
        let (name, file, _again) = object();
        unlink_shm(&name).unwrap();
        reserve(&file, 4096).unwrap();
        sign_byte(&file, 2).unwrap();
        read_at(&file, &mut [0; 8], 0).unwrap();
        let signed = std::fs::read_to_string("/proc/locks").unwrap();
        let inode = format!(":{} ", file_facts(&file).unwrap().identity.1);
        let held = signed.lines().any(|lock| lock.contains("POSIX") && lock.contains(&inode));
        assert!(held, "{signed}");
    }

    #[test]
    fn reserving_sets_the_length_and_too_much_is_storage_full() {
        let (name, file, _) = object();
        unlink_shm(&name).unwrap();
        reserve(&file, 4096).unwrap();
        let facts = file_facts(&file).unwrap();
        assert_eq!((facts.length, facts.reserved), (4096, 4096));
        assert_eq!(file_facts(&file).unwrap().uid, effective_uid());
        assert!(free_room(&file) > 0);
        assert!(reserve(&file, 1 << 60).is_err());
    }
}
