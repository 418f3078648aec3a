//! The doorbell wakes a side that sleeps. A wake-up carries no meaning: whoever wakes looks at the
//! ring again.
//!
//! # Why no wake-up is lost
//! The one who waits (W) and the one who publishes (P) each store, fence, then load:
//!
//! ```text
//! W: token = bell.token()             P: store position
//!    store waits = 1                     fence
//!    fence                               if load waits != 0: bell.ring()
//!    if load position == old:
//!        bell.sleep(token)
//! ```
//!
//! The fences are sequentially consistent, so in their one order either W's comes first, and P then
//! sees `waits`, or P's comes first, and W then sees the new position. Not both can miss. If P
//! rings after W took its token, the bell's word differs from the token (futex) or the event is set
//! (event), and `sleep` returns at once, even if the ring came before the sleep. That is why the
//! token is taken *before* the look at the position: taken after it, a ring in between would be
//! slept through. [`Bell::sleep_unless`] is W's side, for all who sleep.
//!
//! Whoever loads `waits` and then dies before it rings takes a wake-up with it. That is the one
//! loss that no order of instructions prevents; so every sleep is bounded, and a death is noticed
//! through the kernel ([`crate::os::liveness`]) whose notice looks at the ring once more.
//!
//! # Two kinds
//! [`Doorbell::Futex`] is the default on Linux: one word, and a system call only if somebody
//! sleeps. [`Doorbell::Event`] is `raw_sync`'s event with a POSIX semaphore to sleep on, and exists
//! on other systems too. Its limits, and what
//! is done about them, stand in [`event`]. The kind is the server's choice, recorded in its
//! registry; clients follow.

mod event;
mod futex;
mod sleeper;

use std::any::Any;
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::{AtomicU32, Isolated};
pub(crate) use futex::Token;
pub(crate) use sleeper::{ForRoom, Sleeper, Slept, look_announced};

/// How a sleeping side is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Doorbell {
    /// A futex in the segment. Linux.
    #[default]
    Futex,
    /// `raw_sync`'s event and a POSIX semaphore in the segment. Portable and slower, and the peer
    /// must be trusted not to scribble on it: the system's own code runs on that memory.
    Event,
}

impl Doorbell {
    /// The number that stands for the kind in a segment.
    pub(crate) const fn to_u32(self) -> u32 {
        match self {
            Self::Futex => 1,
            Self::Event => 2,
        }
    }

    /// The kind that a segment's number stands for.
    pub(crate) const fn from_u32(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Futex),
            2 => Some(Self::Event),
            _ => None,
        }
    }
}

/// Bytes kept for an event: the semaphore (32 with glibc) and the event behind it.
const EVENT_LENGTH: usize = 128;

/// A doorbell's place in a segment.
#[repr(C)]
pub(crate) struct BellMemory {
    /// The futex: counts rings.
    word: Isolated<AtomicU32>,
    /// Semaphore and event, where that is the kind. Touched by the system's and `raw_sync`'s code
    /// alone, which writes to it while there are references to the whole.
    event: Isolated<UnsafeCell<[u8; EVENT_LENGTH]>>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<BellMemory>() == 256);

// SAFETY: there are no events in models, so nobody touches the bytes for one.
#[cfg(loom)]
unsafe impl Sync for BellMemory {}

#[cfg(loom)]
impl Default for BellMemory {
    fn default() -> Self {
        Self {
            word: Isolated(AtomicU32::new(0)),
            event: Isolated(UnsafeCell::new([0; EVENT_LENGTH])),
        }
    }
}

/// A doorbell as one process has it.
pub(crate) struct Bell(Inner);

enum Inner {
    Futex(futex::FutexBell),
    Event(event::EventBell),
}

impl Bell {
    /// Prepares the doorbell's memory. Once, by the segment's creator, before anyone else has it.
    ///
    /// # Safety
    /// `memory` leads to a `BellMemory`, zeroed, that nobody else uses yet.
    pub(crate) unsafe fn initialise(memory: NonNull<BellMemory>, kind: Doorbell) -> bool {
        match kind {
            Doorbell::Futex => true,
            Doorbell::Event => {
                // SAFETY: passed on from the caller.
                let place = unsafe { event_place(memory) };
                // SAFETY: inside the caller's memory, of `EVENT_LENGTH` bytes, aligned by its type.
                unsafe { event::EventBell::initialise(place) }
            }
        }
    }

    /// # Safety
    /// `memory` leads to a `BellMemory` that [`initialise`](Self::initialise) prepared for `kind`,
    /// and stays so while `owner` lives. For [`Doorbell::Event`] the other processes that have it
    /// are trusted not to write to it except through this type.
    pub(crate) unsafe fn attach(
        memory: NonNull<BellMemory>,
        kind: Doorbell,
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Option<Self> {
        Some(Self(match kind {
            Doorbell::Futex => {
                // SAFETY: the caller vouches for the memory, which is atomics where it is read.
                let word = NonNull::from(unsafe { &memory.as_ref().word.0 });
                // SAFETY: the word lies in that memory.
                Inner::Futex(unsafe { futex::FutexBell::new(word, owner) })
            }
            Doorbell::Event => {
                // SAFETY: passed on from the caller.
                let place = unsafe { event_place(memory) };
                // SAFETY: initialised for this kind, and trusted, as the caller vouches.
                Inner::Event(unsafe { event::EventBell::attach(place, owner) }?)
            }
        }))
    }

    /// What to hand to [`sleep`](Self::sleep). Take it before the last look at what is waited for.
    #[inline]
    pub(crate) fn token(&self) -> Token {
        match &self.0 {
            Inner::Futex(bell) => bell.token(),
            Inner::Event(_) => Token::default(),
        }
    }

    /// Sleeps until a ring that came after the token was taken, or the time-out, or sooner. `true`:
    /// for as long as it meant to, and nobody rang.
    pub(crate) fn sleep(&self, token: Token, timeout: Duration) -> bool {
        let in_vain = match &self.0 {
            Inner::Futex(bell) => bell.sleep(token, timeout),
            Inner::Event(bell) => bell.sleep(timeout),
        };
        crate::step::reach("wake");
        in_vain
    }

    /// Wakes who sleeps.
    pub(crate) fn ring(&self) {
        crate::step::reach("ring.before");
        match &self.0 {
            Inner::Futex(bell) => bell.ring(),
            Inner::Event(bell) => bell.ring(),
        }
    }

    /// Wakes who sleeps in this process and was not to be woken by others: beside a ring, for what
    /// this side tells itself.
    pub(crate) fn ring_own(&self) {
        if let Inner::Futex(bell) = &self.0 {
            bell.ring_own();
        }
    }
}

/// The event's place inside a bell's memory.
///
/// # Safety
/// `memory` leads to a `BellMemory`.
unsafe fn event_place(memory: NonNull<BellMemory>) -> NonNull<u8> {
    // SAFETY: the field lies inside the memory that the caller vouches for.
    let place = unsafe { &raw const (*memory.as_ptr()).event.0 };
    // SAFETY: a field's address inside a valid allocation is not null.
    unsafe { NonNull::new_unchecked(UnsafeCell::raw_get(place).cast()) }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::thread;

    pub(crate) fn private_bell(kind: Doorbell) -> Arc<Bell> {
        #[repr(align(128))]
        struct Memory(std::cell::UnsafeCell<[u8; 256]>);
        // SAFETY: only reached through the bell.
        unsafe impl Sync for Memory {}
        let memory = Arc::new(Memory(std::cell::UnsafeCell::new([0; 256])));
        let place = NonNull::new(memory.0.get().cast::<BellMemory>()).expect("not null");
        // SAFETY: fresh, zeroed, large and aligned enough.
        assert!(unsafe { Bell::initialise(place, kind) });
        // SAFETY: initialised just now; the memory is the owner.
        Arc::new(unsafe { Bell::attach(place, kind, memory) }.expect("an event"))
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_slept_through() {
        for kind in [Doorbell::Futex, Doorbell::Event] {
            let bell = private_bell(kind);
            let token = bell.token();
            bell.ring();
            // A watchdog by construction: an hour would be noticed.
            bell.sleep(token, Duration::from_secs(3600));
        }
    }

    #[test]
    fn a_sleep_ends_without_a_ring() {
        for kind in [Doorbell::Futex, Doorbell::Event] {
            let bell = private_bell(kind);
            for _ in 0..5 {
                bell.sleep(bell.token(), Duration::from_millis(10));
            }
        }
    }

    /// The whole protocol of the module's docs, both sides running into each other all the time: a
    /// lost wake-up would be a sleep of a minute each time.
    #[test]
    fn no_wake_up_is_lost_when_both_sides_run_into_each_other() {
        for kind in [Doorbell::Futex, Doorbell::Event] {
            let rounds = if kind == Doorbell::Futex { 20_000 } else { 2_000 };
            let (bell, waits, position) =
                (private_bell(kind), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let taken = Arc::new(AtomicU64::new(0));
            let (finished, watchdog) = mpsc::channel();
            let waiter = {
                let (bell, waits) = (Arc::clone(&bell), Arc::clone(&waits));
                let (position, taken) = (Arc::clone(&position), Arc::clone(&taken));
                thread::spawn(move || {
                    for round in 1..=rounds {
                        while position.load(Ordering::Acquire) < round {
                            let token = bell.token();
                            waits.store(1, Ordering::Relaxed);
                            std::sync::atomic::fence(Ordering::SeqCst);
                            if position.load(Ordering::Acquire) < round {
                                bell.sleep(token, Duration::from_secs(3600));
                            }
                            waits.store(0, Ordering::Relaxed);
                        }
                        taken.store(round, Ordering::Release);
                    }
                    finished.send(()).unwrap();
                })
            };
            for round in 1..=rounds {
                position.store(round, Ordering::Release);
                std::sync::atomic::fence(Ordering::SeqCst);
                if waits.load(Ordering::Relaxed) != 0 {
                    bell.ring();
                }
                while taken.load(Ordering::Acquire) < round {
                    if watchdog.try_recv() == Ok(()) {
                        break;
                    }
                    thread::yield_now();
                }
            }
            let heard = watchdog.recv_timeout(Duration::from_secs(60));
            assert!(heard.is_ok() || waiter.is_finished(), "{kind:?}: a wake-up was lost");
            waiter.join().unwrap();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod layout_tests {
    use super::BellMemory;
    use crate::checks::layout_page::{check, offsets};

    #[test]
    fn layout_page_doorbell() {
        check("Doorbell", offsets!(BellMemory: word, event));
    }
}
