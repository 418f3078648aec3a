//! Every system call of this crate, each behind a function that cannot be called wrongly.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::mman;
use nix::sys::stat::Mode;

use crate::sync::AtomicU32;
#[cfg(loom)]
pub(crate) use crate::sync::futex_wake;

/// What the kernel tells of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileFacts {
    /// Device and inode: the file's identity, whatever its name.
    pub(crate) identity: (u64, u64),
    /// The owner's user id.
    pub(crate) uid: u32,
    /// Bytes in the file.
    pub(crate) length: u64,
    /// Time since it was last written, as the file system's clock tells.
    pub(crate) modified: std::time::SystemTime,
}

/// Opens an existing shared memory object for reading and writing. It is not inherited by programs
/// that this process executes.
pub(crate) fn open_shm(name: &str) -> io::Result<OwnedFd> {
    Ok(mman::shm_open(name, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?)
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
        identity: (stat.st_dev, stat.st_ino),
        uid: stat.st_uid,
        length: u64::try_from(stat.st_size).unwrap_or(0),
        modified: std::time::UNIX_EPOCH + age,
    })
}

/// Reads all of `bytes` from a place in a file.
pub(crate) fn read_at(file: &OwnedFd, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::fs::File::from(file.try_clone()?).read_exact_at(bytes, offset)
}

/// Reserves memory for the first `length` bytes of a file, so that touching them later cannot fail.
/// The error is `StorageFull` where there is no room.
pub(crate) fn reserve(file: &OwnedFd, length: u64) -> io::Result<()> {
    let length = i64::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    loop {
        match nix::fcntl::posix_fallocate(file, 0, length) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Bytes free in the file system that holds `file`.
pub(crate) fn free_room(file: &OwnedFd) -> u64 {
    nix::sys::statvfs::fstatvfs(file)
        .map_or(0, |stat| stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn byte_range(byte: i64, kind: i32) -> libc::flock {
    // SAFETY: `flock` is plain numbers; all zeros is one of its values. Open-file-description locks
    // want `l_pid` to be zero.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as i16;
    range.l_whence = libc::SEEK_SET as i16;
    range.l_start = byte;
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

/// Sleeps while `word` is `expected`, until a wake-up, a signal, or the time-out on the monotonic
/// clock (`None`: whoever calls sees to it that it is woken). The caller cannot tell which, and must
/// not need to.
#[cfg(not(loom))]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `word` and `timeout` are valid for the whole call. Without FUTEX_PRIVATE_FLAG the
    // kernel finds the word by its page, so other processes' wake-ups arrive. All failures (EAGAIN,
    // EINTR, ETIMEDOUT) mean the same to the caller: look again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            timeout,
            std::ptr::null::<u32>(),
            0,
        );
    }
}

/// In models: without a bound, so that a lost wake-up is a deadlock.
#[cfg(loom)]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, _: Option<Duration>) {
    crate::sync::futex_wait(word, expected);
}

/// Wakes everybody who sleeps on `word`, in any process.
#[cfg(not(loom))]
pub(crate) fn futex_wake(word: &AtomicU32) {
    // SAFETY: `word` is valid for the call; the kernel only uses its address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            i32::MAX,
            std::ptr::null::<libc::timespec>(),
            std::ptr::null::<u32>(),
            0,
        );
    }
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

/// Names in the directory of shared memory objects that start with `prefix`. Empty where the system
/// has no such directory.
pub(crate) fn shm_names(prefix: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/dev/shm") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect()
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
    fn reserving_sets_the_length_and_too_much_is_storage_full() {
        let (name, file, _) = object();
        unlink_shm(&name).unwrap();
        reserve(&file, 4096).unwrap();
        assert_eq!(file_facts(&file).unwrap().length, 4096);
        assert_eq!(file_facts(&file).unwrap().uid, effective_uid());
        assert!(free_room(&file) > 0);
        assert!(reserve(&file, 1 << 60).is_err());
    }

    #[test]
    fn a_futex_whose_word_changed_does_not_sleep_and_a_quiet_one_times_out() {
        let word = AtomicU32::new(1);
        futex_wait(&word, 0, None);
        futex_wait(&word, 1, Some(Duration::from_millis(1)));
        futex_wake(&word);
    }
}
