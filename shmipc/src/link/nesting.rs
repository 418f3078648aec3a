//! For whom this thread is encoding a message just now. A message's `Serialize` is the user's code
//! and may send messages itself; not over the link for which it is being encoded, though: the inner
//! one would come before the outer, or wait for it.
//!
//! A link, a server and a [`Local`](crate::Local) are told apart by their addresses, which stay
//! what they are as long as they are borrowed for sending.

use std::cell::Cell;

/// So many encodings may stand inside each other on one thread.
const DEEPEST: usize = 8;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static FOR: [Cell<usize>; DEEPEST] = const { [const { Cell::new(0) }; DEEPEST] };
}

/// While it lives, this thread encodes for somebody.
pub(crate) struct Encoding {
    depth: usize,
}

impl Encoding {
    /// Begins to encode for `whom`.
    #[inline]
    pub(crate) fn begin(whom: usize) -> Self {
        // In a model all threads are one of the system's.
        if cfg!(loom) {
            return Self { depth: 0 };
        }
        let depth = DEPTH.get();
        // What would stand deeper was refused (`is_for`).
        if depth < DEEPEST {
            FOR.with(|all| all[depth].set(whom));
        }
        DEPTH.set(depth + 1);
        Self { depth }
    }
}

impl Drop for Encoding {
    #[inline]
    fn drop(&mut self) {
        DEPTH.set(self.depth);
    }
}

/// Is this thread encoding a message for one of whom this is true, so that it must not begin
/// another?
#[inline]
pub(crate) fn is_for(whom: impl Fn(usize) -> bool) -> bool {
    DEPTH.get() != 0 && is_inside(whom)
}

#[cold]
fn is_inside(whom: impl Fn(usize) -> bool) -> bool {
    let depth = DEPTH.get();
    depth >= DEEPEST || FOR.with(|all| all.iter().take(depth).any(|entry| whom(entry.get())))
}

/// What tells a link, a server or a `Local` from all others.
pub(crate) fn address<T: ?Sized>(of: &T) -> usize {
    std::ptr::from_ref(of).cast::<()>().addr()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn all_that_encode_on_this_thread_are_known_until_they_are_through() {
        assert!(!is_for(|_| true));
        let outer = Encoding::begin(1);
        let inner = Encoding::begin(2);
        assert!(is_for(|whom| whom == 1) && is_for(|whom| whom == 2) && !is_for(|whom| whom == 3));
        std::thread::spawn(|| assert!(!is_for(|_| true))).join().expect("another thread");
        drop(inner);
        assert!(is_for(|whom| whom == 1) && !is_for(|whom| whom == 2));
        drop(outer);
        assert!(!is_for(|_| true));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let all: Vec<_> = (0..DEEPEST + 2).map(Encoding::begin).collect();
        assert!(is_for(|_| false));
        all.into_iter().rev().for_each(drop);
        assert!(!is_for(|_| true));
    }
}
