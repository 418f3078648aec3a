//! How far this thread's stack reaches. Decoding and encoding run the user's types one inside the
//! other, on whatever thread they are called; a stack that overflows ends the process, so each
//! level asks first.

use std::cell::Cell;

use nix::libc;

/// What a level may use before the next one asks, besides what is reckoned from its values' size:
/// some frames, and two copies of a boxed value that nothing was known of.
const MARGIN: usize = 64 << 10;
/// Copies of a level's value that stand on the stack before the next level asks: up to 4 were
/// measured, and up to 10 where the compiler does not optimise.
const COPIES: usize = if cfg!(debug_assertions) { 12 } else { 6 };
/// Values of more bytes are remembered: two copies of the next one are made before it is asked
/// about.
const LARGE: usize = 16 << 10;

/// Nothing is asked for fewer levels than this of values of up to so many bytes.
const SHALLOW: u32 = 4;
const SMALL: usize = 512;

/// The addresses of a stack, from the lowest that may be used up to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    lowest: usize,
    highest: usize,
}

/// A stack that cannot be measured is taken for endless.
const UNKNOWN: Reach = Reach { lowest: 0, highest: usize::MAX };

thread_local! {
    static REACH: Cell<Option<Reach>> = const { Cell::new(None) };
}

/// Whether the calling thread has room for more levels.
#[derive(Debug)]
pub(super) struct Stack {
    /// What two copies of the largest value so far would take, if that is much.
    large: Cell<usize>,
}

impl Stack {
    #[inline]
    pub(super) fn new() -> Self {
        Self { large: Cell::new(0) }
    }

    /// Must it be asked whether a level fits, after so many, which makes a `T`? For nearly every
    /// message it must not: a few levels of small values.
    #[inline]
    pub(super) fn asks_for<T>(levels: u32) -> bool {
        levels >= SHALLOW || const { size_of::<T>() > SMALL }
    }

    /// Is there too little for one more level, which makes a value of this size?
    pub(super) fn lacks(&self, size: usize) -> bool {
        if size > LARGE {
            self.large.set(self.large.get().max(2 * size));
        }
        let reach = this_threads();
        // An eighth at most: whoever runs on little has small values.
        let margin = MARGIN.min((reach.highest - reach.lowest) / 8).max(self.large.get());
        left_of(reach) < margin + COPIES * size
    }

    /// Bytes that are left of this thread's stack.
    pub(super) fn left(&self) -> usize {
        left_of(this_threads())
    }
}

fn this_threads() -> Reach {
    REACH.get().unwrap_or_else(measured)
}

fn left_of(reach: Reach) -> usize {
    let here = here();
    // On a stack of the user's own making (a coroutine's) nothing is known.
    let is_known = (reach.lowest..reach.highest).contains(&here);
    if is_known { here - reach.lowest } else { here }
}

/// An address in the caller's frame.
#[inline(always)]
#[allow(clippy::inline_always, reason = "it is the caller's frame that is asked for")]
fn here() -> usize {
    let local = 0_u8;
    (&raw const local).addr()
}

#[cold]
fn measured() -> Reach {
    let reach = ask().unwrap_or(UNKNOWN);
    REACH.set(Some(reach));
    reach
}

fn ask() -> Option<Reach> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: takes nothing; the calling thread.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a live thread, and room for what is written.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: initialised just now; the places are valid for the call.
    let told =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size) };
    // SAFETY: as above.
    let guarded = unsafe { libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) };
    // SAFETY: initialised above, and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if told != 0 || guarded != 0 {
        return None;
    }
    // Whether the guard's pages count differs between versions of the C library: leave them out.
    let lowest = start.addr().saturating_add(guard);
    Some(Reach { lowest, highest: start.addr().checked_add(size)? })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_what_is_left_of_its_stack() {
        let looked = std::thread::Builder::new().stack_size(256 << 10).spawn(|| {
            let stack = Stack::new();
            (stack.left(), Stack::new().lacks(8), stack.lacks(256 << 10))
        });
        let (left, small, large) = looked.unwrap().join().unwrap();
        assert!((128 << 10..=260 << 10).contains(&left), "{left}");
        assert!(!small && large);
    }

    #[test]
    fn going_deeper_leaves_less() {
        #[inline(never)]
        fn deeper(stack: &Stack, levels: u32) -> usize {
            let pad = std::hint::black_box([1_u8; 512]);
            let left = if levels == 0 { stack.left() } else { deeper(stack, levels - 1) };
            left + usize::from(std::hint::black_box(pad)[0]) - 1
        }
        let stack = Stack::new();
        assert!(deeper(&stack, 20) + 20 * 512 <= stack.left());
    }
}
