//! Memory of a segment, with nothing between the attacker and it.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl, posix_fallocate};
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A file in shared memory, mapped whole.
#[derive(Debug)]
pub struct Raw {
    file: File,
    memory: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is only touched through atomics and volatile copies.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl Raw {
    /// Maps an existing file.
    ///
    /// # Errors
    /// It cannot be opened or mapped, or is empty.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Makes a file of `length` zeros, whose memory is reserved.
    ///
    /// # Errors
    /// It exists, or there is no room.
    pub fn create(path: &Path, length: usize) -> io::Result<Self> {
        let raw = Self::create_sparse(path, length)?;
        posix_fallocate(&raw.file, 0, length as i64)?;
        Ok(raw)
    }

    /// Makes a file of `length` zeros that has no memory yet.
    ///
    /// # Errors
    /// It exists.
    pub fn create_sparse(path: &Path, length: usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.set_len(length as u64)?;
        Self::of(file)
    }

    /// Makes an existing file `length` bytes long, with memory for all of them, and maps it.
    ///
    /// # Errors
    /// It cannot be opened for writing, or there is no room.
    pub fn take_over(path: &Path, length: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(length as u64)?;
        posix_fallocate(&file, 0, length as i64)?;
        Self::of(file)
    }

    fn of(file: File) -> io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        let whole = NonZeroUsize::new(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a fresh mapping of a file, at an address of the kernel's choice.
        let memory =
            unsafe { mmap(None, whole, protection, MapFlags::MAP_SHARED, file.as_fd(), 0) };
        Ok(Self { file, memory: memory?.cast(), length })
    }

    /// Bytes in it.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    fn address(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length), "outside");
        // SAFETY: inside the mapping, as just checked.
        unsafe { self.memory.as_ptr().add(offset) }
    }

    /// The word at `offset`, which is a multiple of 4.
    #[must_use]
    pub fn word32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "unaligned");
        let place = self.address(offset, 4).cast::<u32>();
        // SAFETY: aligned, inside the mapping, which lives as long as `self`; only atomics touch
        // it.
        unsafe { AtomicU32::from_ptr(place) }
    }

    /// The word at `offset`, which is a multiple of 8.
    #[must_use]
    pub fn word64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8), "unaligned");
        let place = self.address(offset, 8).cast::<u64>();
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(place) }
    }

    /// Reads a word.
    #[must_use]
    pub fn get32(&self, offset: usize) -> u32 {
        self.word32(offset).load(Ordering::Acquire)
    }

    /// Reads a word.
    #[must_use]
    pub fn get64(&self, offset: usize) -> u64 {
        self.word64(offset).load(Ordering::Acquire)
    }

    /// Writes a word.
    pub fn set32(&self, offset: usize, value: u32) {
        self.word32(offset).store(value, Ordering::Release);
    }

    /// Writes a word.
    pub fn set64(&self, offset: usize, value: u64) {
        self.word64(offset).store(value, Ordering::Release);
    }

    /// Writes bytes anywhere.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let place = self.address(offset, bytes.len());
        fence(Ordering::SeqCst);
        // SAFETY: inside the mapping; `bytes` is private memory. Others may look at it meanwhile,
        // which is the point.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        fence(Ordering::SeqCst);
    }

    /// A copy of bytes from anywhere.
    #[must_use]
    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let place = self.address(offset, length);
        // SAFETY: inside the mapping, into private memory of that length.
        unsafe { std::ptr::copy_nonoverlapping(place, bytes.as_mut_ptr(), length) };
        bytes
    }

    /// Takes the lock of one byte for this open file. `false`: somebody else has it.
    #[must_use]
    pub fn lock(&self, byte: i64) -> bool {
        set_lock(&self.file, byte, libc::F_WRLCK)
    }

    /// Gives it back.
    pub fn unlock(&self, byte: i64) {
        set_lock(&self.file, byte, libc::F_UNLCK);
    }

    /// Rings a futex doorbell.
    pub fn ring(&self, bell: usize) {
        let word = self.word32(bell);
        word.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the word is valid for the call; the kernel only uses its address.
        unsafe {
            let none = std::ptr::null::<libc::timespec>();
            let wake = libc::FUTEX_WAKE;
            libc::syscall(libc::SYS_futex, word.as_ptr(), wake, i32::MAX, none, 0, 0);
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, of this length, and nobody has a reference into it any more.
        let _ = unsafe { munmap(self.memory.cast(), self.length) };
    }
}

/// Takes the lock of one byte of an open file. `false`: somebody else has it.
#[must_use]
pub fn lock(file: &File, byte: i64) -> bool {
    set_lock(file, byte, libc::F_WRLCK)
}

fn set_lock(file: &File, byte: i64, kind: i32) -> bool {
    // SAFETY: plain numbers, for which zero is a value.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = kind as i16;
    range.l_start = byte;
    range.l_len = 1;
    fcntl(file, FcntlArg::F_OFD_SETLK(&range)).is_ok()
}

/// Looks again and again until `found` or the time is up.
pub fn wait_for<T>(time: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let started = std::time::Instant::now();
    let mut looks = 0_u32;
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        looks += 1;
        if looks.is_multiple_of(16) && started.elapsed() > time {
            return None;
        }
        if looks < 200 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}
