//! Is what was checked what is used? A foreign process is played by an assembly instruction that
//! the compiler is told touches no memory: it changes a byte between the check and the use, at the
//! worst moment, every time.

#![cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]

#[allow(dead_code, reason = "a part of it is looked at")]
#[path = "../../../shmipc/src/ring/foreign.rs"]
mod foreign;

/// What `foreign` finds in the crate that it belongs to.
mod sync {
    pub(crate) use std::sync::atomic::AtomicU64;
}

use std::ptr::NonNull;

use foreign::{LINE, Place};

/// Where the foreign process writes.
const CHANGED: usize = 40;

/// The foreign process.
#[allow(clippy::pointers_in_nomem_asm_block, reason = "the lie is what is wanted")]
#[inline(always)]
fn foreign_write(memory: *mut u8) {
    // SAFETY: one byte inside `memory`, which is `CHANGED` bytes long and more. That the compiler
    // is told of no write is what is played here: it is not told of another process's either.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "mov byte ptr [{memory} + 40], 77",
            memory = in(reg) memory,
            options(nomem, nostack, preserves_flags)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "strb {byte:w}, [{memory}, #40]",
            memory = in(reg) memory,
            byte = in(reg) 77,
            options(nomem, nostack, preserves_flags)
        );
    }
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

/// Copies `N` bytes out with `copy`, checks them, and uses them: gives what the check saw, and what
/// was used.
#[inline(always)]
fn check_and_use<const N: usize>(memory: *mut u8, copy: impl FnOnce(*mut u8)) -> (u64, [u8; N]) {
    let mut private = [0; N];
    copy(private.as_mut_ptr());
    let checked = sum(&private);
    foreign_write(memory);
    (checked, private)
}

/// Memory of which the compiler knows nothing, and what was read from it by `take`.
fn foreign<const N: usize>(take: fn(*mut u8) -> (u64, [u8; N])) -> (u64, u64) {
    #[repr(align(64))]
    struct Memory<const N: usize>([u8; N]);
    let mut memory = Memory([1; N]);
    let (checked, used) = std::hint::black_box(take)(std::hint::black_box(memory.0.as_mut_ptr()));
    assert_eq!(std::hint::black_box(&memory).0[CHANGED], 77, "the foreign process never wrote");
    (checked, sum(&used))
}

/// What the rest is about. No assertion: a compiler that reads plain copies once is right too.
#[test]
fn a_plain_copy_may_be_read_again() {
    let (checked, used) = foreign::<256>(|memory| {
        check_and_use(memory, |private| {
            // SAFETY: both have 256 bytes.
            unsafe { std::ptr::copy_nonoverlapping(memory, private, 256) };
        })
    });
    assert_eq!(checked, 256);
    eprintln!("a plain copy: checked {checked}, used {used}");
}

fn place(memory: *mut u8) -> Place {
    Place::new(NonNull::new(memory).expect("there is memory"))
}

#[test]
fn bytes_are_read_once() {
    let read = |memory| {
        check_and_use::<256>(memory, |private| {
            // SAFETY: both have 256 bytes.
            unsafe { place(memory).read(private, 256) };
        })
    };
    assert_eq!(foreign(read), (256, 256));
}

#[test]
fn a_line_is_read_once() {
    let read = |memory| {
        check_and_use::<LINE>(memory, |private| {
            // SAFETY: both have 64 bytes, and the memory is aligned to as many.
            unsafe { place(memory).read_line(private) };
        })
    };
    assert_eq!(foreign(read), (64, 64));
}

/// A length as it stands in a header: the word is loaded once.
#[test]
fn a_word_is_read_once() {
    let read = |memory| {
        check_and_use::<64>(memory, |private| {
            for offset in (0..64).step_by(8) {
                // SAFETY: inside.
                let word = unsafe { place(memory).add(offset) };
                // SAFETY: inside.
                let to = unsafe { private.add(offset) };
                // SAFETY: aligned to 8, and alive.
                let word = unsafe { word.word() }.load(std::sync::atomic::Ordering::Relaxed);
                // SAFETY: inside.
                unsafe { to.cast::<u64>().write_unaligned(word) };
            }
        })
    };
    assert_eq!(foreign(read), (64, 64));
}
