//! Foreign memory: bytes that another process may write at any moment, whatever it was agreed to
//! do. This is the one place that touches such bytes. (Words of it that are atomics, which is
//! everything in a segment but the rings' payloads and the schema, are loaded and stored as such
//! wherever they are needed: an atomic load is one load, its value is private from then on.)
//!
//! # Read once
//! What was read is checked and then used, so it must not be read a second time between the two. A
//! plain copy does not promise that. To the compiler memory that nobody in this program writes
//! stays as it is, so it may take a later use of the copy from the original again; and it does,
//! where it can see the copy and its use together (`tests/foreign` has the case). So bytes leave
//! foreign memory in two ways only, both of which the compiler cannot look into and must therefore
//! take as they come:
//!
//! - [`Place::read`] calls the C library's `memcpy` through a pointer that is itself read as
//!   volatile, so it is a call of an unknown function. What that does with the memory is none of
//!   Rust's accesses: it may be told as a relaxed atomic load of each byte, in any order, which is
//!   what the machine does.
//! - [`Place::read_line`], for the one line that a small frame is: where the target is x86-64, four
//!   loads and four stores in assembly, for the same reason; elsewhere eight relaxed atomic loads.
//!
//! What arrives may be torn, or a mixture of several writes. It is some bytes, and it is private.
//! There is no reference to foreign bytes, not even for a moment: a `&[u8]` says that they do not
//! change.
//!
//! # Why not otherwise
//! - `ptr::read_volatile` is read once, but a race is as much of a fault in it as in a plain read
//!   where the memory belongs to the program, and it goes by words: large payloads at a fraction of
//!   the speed.
//! - Atomic loads of words alone: the same speed; and the hash of a line that was stored by words
//!   waits for each of them.
//! - A plain copy and an empty `asm!` behind it is enough for the compiler of today (a load that
//!   races gives an unspecified value there, and is no fault), not for the language.
//! - A copy that is atomic byte by byte is what is meant; the language does not have it yet (RFC
//!   3301).
//!
//! The kernel's `copy_from_user` and the monitors of virtual machines do the same: a copy behind
//! the compiler's back, checks on the copy.
//!
//! # Writing
//! [`Place::write`] is a plain copy. Nothing that this process does depends on what is there
//! afterwards: it is never read back but by the ways above. The reader is another process, which
//! takes the bytes as memory has them.
//!
//! In models the bytes are words of `loom`'s, so that the checker sees every access to them.

use std::ptr::NonNull;

use crate::sync::AtomicU64;

#[cfg(not(loom))]
pub(crate) use raw::Place;
#[cfg(loom)]
pub(crate) use words::Place;

/// Bytes in a line, as [`Place::read_line`] takes them.
pub(crate) const LINE: usize = 64;

#[cfg(not(loom))]
#[allow(clippy::disallowed_methods, reason = "their one place")]
mod raw {
    use nix::libc::{c_void, memcpy};

    use super::*;

    type CopyFn = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void;

    /// How bytes are copied out. Only to be read as volatile, so that nobody knows what it is.
    static COPY: CopyFn = memcpy;

    /// The address of a byte.
    #[derive(Clone, Copy)]
    pub(crate) struct Place(NonNull<u8>);

    impl Place {
        #[inline]
        pub(crate) fn new(address: NonNull<u8>) -> Self {
            Self(address)
        }

        #[inline]
        pub(crate) fn as_ptr(self) -> *mut u8 {
            self.0.as_ptr()
        }

        /// Where it lies.
        #[inline]
        pub(crate) fn addr(self) -> usize {
            self.0.addr().get()
        }

        /// # Safety
        /// `count` bytes from here on belong to the same memory.
        #[inline]
        pub(crate) unsafe fn add(self, count: usize) -> Self {
            // SAFETY: contract.
            Self(unsafe { self.0.add(count) })
        }

        /// The word that begins here.
        ///
        /// # Safety
        /// Aligned to 8, eight bytes of the memory follow, and they live for `'a`.
        #[inline]
        pub(crate) unsafe fn word<'a>(self) -> &'a AtomicU64 {
            // SAFETY: contract.
            unsafe { self.0.cast().as_ref() }
        }

        /// Copies private bytes to here.
        ///
        /// # Safety
        /// As many bytes of the memory follow, and nobody else in this process touches them.
        #[inline]
        pub(crate) unsafe fn write(self, bytes: &[u8]) {
            // SAFETY: contract; `bytes` is private, so the two do not overlap. That another process
            // may touch them too: see the module.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_ptr(), bytes.len()) };
        }

        /// Copies bytes from here to private memory, once.
        ///
        /// # Safety
        /// `length` bytes of the memory follow, nobody else in this process writes them, and
        /// `target` leads to as many private ones that may be written.
        #[inline]
        pub(crate) unsafe fn read(self, target: *mut u8, length: usize) {
            // SAFETY: a static, always there.
            let copy = unsafe { std::ptr::read_volatile(&raw const COPY) };
            // SAFETY: contract; private memory does not overlap foreign memory.
            unsafe { copy(target.cast(), self.as_ptr().cast(), length) };
        }

        /// The same for a line: no call.
        ///
        /// # Safety
        /// As for [`read`](Self::read), with 64 bytes; aligned to 8.
        #[inline]
        pub(crate) unsafe fn read_line(self, target: *mut u8) {
            // The thread sanitizer sees into the C library's `memcpy`, and not into assembly.
            #[cfg(tsan)]
            // SAFETY: contract.
            unsafe {
                self.read(target, LINE);
            }
            #[cfg(all(target_arch = "x86_64", not(tsan)))]
            // SAFETY: contract: 64 bytes are read at the one and written at the other. The
            // instructions need no alignment, and every x86-64 has them.
            unsafe {
                std::arch::asm!(
                    "movups {a}, [{source}]",
                    "movups {b}, [{source} + 16]",
                    "movups {c}, [{source} + 32]",
                    "movups {d}, [{source} + 48]",
                    "movups [{target}], {a}",
                    "movups [{target} + 16], {b}",
                    "movups [{target} + 32], {c}",
                    "movups [{target} + 48], {d}",
                    source = in(reg) self.as_ptr(),
                    target = in(reg) target,
                    a = out(xmm_reg) _,
                    b = out(xmm_reg) _,
                    c = out(xmm_reg) _,
                    d = out(xmm_reg) _,
                    options(nostack, preserves_flags),
                );
            }
            #[cfg(not(any(target_arch = "x86_64", tsan)))]
            for offset in (0..LINE).step_by(size_of::<u64>()) {
                // SAFETY: contract: `offset` and eight more are at most 64.
                let word = unsafe { self.add(offset) };
                // SAFETY: as above, and aligned.
                let word = unsafe { word.word() }.load(std::sync::atomic::Ordering::Relaxed);
                // SAFETY: contract.
                let to = unsafe { target.add(offset) };
                // SAFETY: as above.
                unsafe { to.cast::<u64>().write_unaligned(word) };
            }
        }
    }
}

#[cfg(loom)]
#[allow(clippy::disallowed_methods, reason = "their one place")]
mod words {
    use super::*;
    use crate::sync::Ordering;

    /// A byte of an array of words.
    #[derive(Clone, Copy)]
    pub(crate) struct Place {
        words: NonNull<AtomicU64>,
        offset: usize,
    }

    impl Place {
        pub(crate) fn new(words: NonNull<AtomicU64>) -> Self {
            Self { words, offset: 0 }
        }

        pub(crate) fn addr(self) -> usize {
            self.offset
        }

        /// # Safety
        /// As of the other.
        pub(crate) unsafe fn add(self, count: usize) -> Self {
            Self { offset: self.offset + count, ..self }
        }

        /// # Safety
        /// As of the other.
        pub(crate) unsafe fn word<'a>(self) -> &'a AtomicU64 {
            // SAFETY: contract: the word belongs to the array.
            let word = unsafe { self.words.add(self.offset / 8) };
            // SAFETY: as above.
            unsafe { word.as_ref() }
        }

        /// # Safety
        /// As of the other.
        pub(crate) unsafe fn write(self, mut bytes: &[u8]) {
            let mut offset = self.offset;
            while !bytes.is_empty() {
                let start = offset % 8;
                let count = bytes.len().min(8 - start);
                // SAFETY: contract.
                let word = unsafe { Self { offset, ..self }.word() };
                let old = if count < 8 { word.load(Ordering::Relaxed) } else { 0 };
                let mut new = old.to_ne_bytes();
                new[start..start + count].copy_from_slice(&bytes[..count]);
                word.store(u64::from_ne_bytes(new), Ordering::Relaxed);
                (offset, bytes) = (offset + count, &bytes[count..]);
            }
        }

        /// # Safety
        /// As of the other.
        pub(crate) unsafe fn read(self, target: *mut u8, length: usize) {
            let mut done = 0;
            while done < length {
                let offset = self.offset + done;
                let start = offset % 8;
                let count = (length - done).min(8 - start);
                // SAFETY: contract.
                let word = unsafe { Self { offset, ..self }.word() };
                let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
                // SAFETY: contract: `done + count` bytes at most.
                let to = unsafe { target.add(done) };
                // SAFETY: as above; `start + count` is 8 at most.
                unsafe { std::ptr::copy_nonoverlapping(bytes[start..].as_ptr(), to, count) };
                done += count;
            }
        }

        /// # Safety
        /// As of the other.
        pub(crate) unsafe fn read_line(self, target: *mut u8) {
            // SAFETY: contract.
            unsafe { self.read(target, LINE) };
        }
    }
}
