//! A place in a ring's data: a byte's address. In models the data is words of `loom`'s, so that the
//! checker sees every access to it.

use std::ptr::NonNull;

use crate::sync::AtomicU64;

#[cfg(not(loom))]
pub(crate) use raw::Place;
#[cfg(loom)]
pub(crate) use words::Place;

#[cfg(not(loom))]
mod raw {
    use super::*;

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

        /// # Safety
        /// `count` bytes from here on belong to the data.
        #[inline]
        pub(in crate::ring) unsafe fn add(self, count: usize) -> Self {
            // SAFETY: contract.
            Self(unsafe { self.0.add(count) })
        }

        /// The word that begins here.
        ///
        /// # Safety
        /// Aligned to 8, eight bytes of data follow, and they live for `'a`.
        #[inline]
        pub(in crate::ring) unsafe fn word<'a>(self) -> &'a AtomicU64 {
            // SAFETY: contract.
            unsafe { self.0.cast().as_ref() }
        }

        /// Copies private bytes to here.
        ///
        /// # Safety
        /// As many bytes of data follow, and nobody else in this process touches them.
        #[inline]
        pub(in crate::ring) unsafe fn write(self, bytes: &[u8]) {
            // SAFETY: contract; `bytes` is private, so the two do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_ptr(), bytes.len()) };
        }

        /// Copies bytes from here to private memory.
        ///
        /// # Safety
        /// `length` bytes of data follow, and `target` leads to as many that may be written.
        #[inline]
        pub(in crate::ring) unsafe fn read(self, target: *mut u8, length: usize) {
            // SAFETY: contract; private memory does not overlap the data.
            unsafe { std::ptr::copy_nonoverlapping(self.as_ptr(), target, length) };
        }

        /// Shows `length` bytes from here on as they stand.
        ///
        /// # Safety
        /// They are data, and nobody who is correct writes to them meanwhile.
        #[inline]
        pub(in crate::ring) unsafe fn show<R>(
            self,
            length: usize,
            to: impl FnOnce(&[u8]) -> R,
        ) -> R {
            // SAFETY: contract.
            to(unsafe { std::slice::from_raw_parts(self.as_ptr(), length) })
        }
    }
}

#[cfg(loom)]
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

        /// # Safety
        /// As of the other.
        pub(in crate::ring) unsafe fn add(self, count: usize) -> Self {
            Self { offset: self.offset + count, ..self }
        }

        /// # Safety
        /// As of the other.
        pub(in crate::ring) unsafe fn word<'a>(self) -> &'a AtomicU64 {
            // SAFETY: contract: the word belongs to the array.
            let word = unsafe { self.words.add(self.offset / 8) };
            // SAFETY: as above.
            unsafe { word.as_ref() }
        }

        /// # Safety
        /// As of the other.
        pub(in crate::ring) unsafe fn write(self, mut bytes: &[u8]) {
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
        pub(in crate::ring) unsafe fn read(self, target: *mut u8, length: usize) {
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
        pub(in crate::ring) unsafe fn show<R>(
            self,
            length: usize,
            to: impl FnOnce(&[u8]) -> R,
        ) -> R {
            let mut bytes = vec![0; length];
            // SAFETY: contract.
            unsafe { self.read(bytes.as_mut_ptr(), length) };
            to(&bytes)
        }
    }
}
