//! Named steps at which a process can be made to kill itself, for the crash sweep (`tests/sweep`).
//!
//! Why it exists: "killed anywhere" is shown by killing at the places where something is half done.
//! A parent that kills at random moments hits a window of nanoseconds about never; a step that
//! stands in the window hits it every time.
//!
//! Without `--cfg shmipc_steps` [`reach`] is empty and nothing of this exists in the compiled code.
//! The sweep compiles these sources a second time, as the package `shmipc-stepped`, whose build
//! script sets it: no feature that a program could turn on, and nobody else's build has it,
//! whatever is built together with it. There an unarmed step costs one relaxed load.

/// Passes a step. If the process is armed for it, and this is the occurrence it is armed for, the
/// process kills itself here, as by `kill -9`.
#[inline(always)]
pub(crate) fn reach(name: &'static str) {
    #[cfg(shmipc_steps)]
    if armed::is_armed() {
        armed::pass(name);
    }
    #[cfg(not(shmipc_steps))]
    let _ = name;
}

/// Every step there is. Part of a name before the dot is what is being done.
#[cfg(shmipc_steps)]
pub const NAMES: &[&str] = &[
    "bind.begin",
    "bind.prepared",
    "bind.published",
    "create.named",
    "create.locked",
    "take-over.claimed",
    "take-over.unlinked",
    "connect.attached",
    "connect.claimed",
    "connect.announced",
    "connect.made",
    "hand-over.offered",
    "hand-over.answered",
    "hand-over.opened",
    "hand-over.locked",
    "hand-over.accepted",
    "hand-over.answering",
    "reserve",
    "encode",
    "publish.before",
    "publish.after",
    "ring.marked",
    "ring.before",
    "wake",
    "take.copied",
    "take.published",
    "dispatch.before",
    "dispatch.after",
    "reply.before",
    "reply.after",
    "reap.slot",
    "reap.answers",
    "reap.departed",
    "unlink.before",
    "unlink.after",
    "goodbye.closing",
    "goodbye.said",
    "goodbye.released",
];

#[cfg(shmipc_steps)]
pub use armed::arm;

#[cfg(shmipc_steps)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use nix::libc;

    static IS_ARMED: AtomicBool = AtomicBool::new(false);
    static ARMED: OnceLock<Armed> = OnceLock::new();

    struct Armed {
        name: &'static str,
        /// Occurrences still to pass before the last.
        left: AtomicU32,
        last_words: fn(),
    }

    /// Has this process kill itself with SIGKILL at the `nth` time (from 1) that it passes the step
    /// `name`; `last_words` runs just before that, on the thread that reached it. Once for each
    /// process; `false`: it is armed already, or there is no such step.
    pub fn arm(name: &str, nth: u32, last_words: fn()) -> bool {
        let Some(name) = super::NAMES.iter().find(|known| **known == name) else { return false };
        let armed = Armed { name, left: AtomicU32::new(nth.max(1)), last_words };
        let first = ARMED.set(armed).is_ok();
        // Who sees it set finds what it is set for: `get` of a `OnceLock` acquires.
        IS_ARMED.store(true, Ordering::Relaxed);
        first
    }

    #[inline(always)]
    pub(super) fn is_armed() -> bool {
        IS_ARMED.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn pass(name: &'static str) {
        if !super::NAMES.contains(&name) {
            // A step that no sweep would ever kill at.
            eprintln!("the step {name:?} is not in the list of steps");
            std::process::abort();
        }
        let Some(armed) = ARMED.get().filter(|armed| armed.name == name) else { return };
        if armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            (armed.last_words)();
            // SAFETY: takes and gives plain numbers.
            let own = unsafe { libc::getpid() };
            // SAFETY: as above; the process is this one.
            unsafe { libc::kill(own, libc::SIGKILL) };
            // The signal is pending when `kill` returns; nothing more may happen on this thread.
            loop {
                std::thread::park();
            }
        }
    }
}
