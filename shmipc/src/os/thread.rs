//! The library's own threads, all started here, so that none takes over what the thread that starts
//! it happens to have: its signal mask, its scheduling policy, its processors.
//!
//! - **Signals** are blocked, from the first instruction on: the program's handlers run, and its
//!   `sigwait`s wake, on its own threads. Not blocked are those that an instruction of the thread
//!   itself raises, without which a crash could not be told, and `SIGPROF` is as it was, for
//!   profilers.
//! - **Policy**: `SCHED_OTHER`, whatever the starting thread has.
//! - **Processors**: those of the process's first thread where the user's handlers run, so that who
//!   confines a whole program (`taskset`, `CPUAffinity=`) confines them too, and who pins a thread
//!   of its own pins that one alone. The others run for microseconds, when somebody else died:
//!   anywhere.
//!
//! The starting thread sets the last two itself and the new one waits for it: a thread that
//! inherits a real-time policy and a busy processor might never get to do it. Nice values cannot be
//! reset without rights and stay. The user's hook comes after all that and may choose otherwise.

use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

use super::scheduling::{SignalsBlocked, reset_scheduling};
use crate::panics;

/// Stack of the threads that decode and handle, of which only what is used takes memory: 256 levels
/// of values that have 16 KiB each, unoptimised.
pub(crate) const LISTENER_STACK: usize = 32 << 20;

/// A thread's purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A server's listener.
    Listener,
    /// A client's listener.
    Events,
    /// Takes late answers.
    Reaper,
    /// Waits for deaths; one for the process.
    Watch,
    /// Removes what dead processes left, where that is much.
    Sweep,
    /// Passes on what comes through a name that was lost and renewed.
    Door,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Listener => "shmipc-listener",
            Self::Events => "shmipc-events",
            Self::Reaper => "shmipc-reaper",
            Self::Watch => "shmipc-watch",
            Self::Sweep => "shmipc-sweep",
            Self::Door => "shmipc-door",
        }
    }

    /// Whether the user's handlers run there.
    fn runs_handlers(self) -> bool {
        matches!(self, Self::Listener | Self::Events)
    }
}

/// What the user wants done first in each thread.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(&str) + Send + Sync>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// The error is what it panicked with.
    fn run(&self, name: &str) -> Result<(), String> {
        panics::caught(|| (self.0)(name))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Starts a thread. The hook of one that runs handlers has run when this returns, and if it
/// panicked that is the error; of the others, which are started while others wait, a hook's panic
/// is printed by the panic hook and they go on.
pub(crate) fn spawn(
    purpose: Purpose,
    hook: Option<Hook>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let name = purpose.name();
    let mut builder = Builder::new().name(name.into());
    if purpose.runs_handlers() {
        builder = builder.stack_size(LISTENER_STACK);
    }
    let is_awaited = hook.is_some() && purpose.runs_handlers();
    let (go, settled) = mpsc::channel::<()>();
    let (tell, hooked) = mpsc::channel();
    let blocked = SignalsBlocked::new();
    let thread = builder.spawn(move || {
        // Ends when the other end is dropped.
        let _ = settled.recv();
        let ran = hook.map_or(Ok(()), |hook| hook.run(name));
        let runs_on = ran.is_ok() || !is_awaited;
        drop(tell.send(ran));
        if runs_on {
            run();
        }
    });
    drop(blocked);
    let thread = thread?;
    reset_scheduling(&thread, !purpose.runs_handlers());
    drop(go);
    match is_awaited.then(|| hooked.recv()) {
        Some(Ok(Err(text))) => {
            drop(thread.join());
            Err(io::Error::other(format!("`on_thread` panicked in {name}: {text}")))
        }
        _ => Ok(thread),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_hook_comes_first_and_knows_the_name() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let [first, second] = [(); 2].map(|()| said.clone());
        let hook = Hook::new(move |name: &str| first.lock().unwrap().push(name.to_owned()));
        let run = move || second.lock().unwrap().push("ran".to_owned());
        spawn(Purpose::Watch, Some(hook), run).unwrap().join().unwrap();
        assert_eq!(*said.lock().unwrap(), ["shmipc-watch", "ran"]);
    }

    /// The signals that the calling thread blocks, a bit for each, from 1 on.
    fn blocked() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("/proc");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("a mask");
        u64::from_str_radix(mask.trim(), 16).expect("hexadecimal")
    }

    /// A crash in a thread that blocks its own signals ends the process without a word.
    #[test]
    fn a_thread_whose_starter_blocks_everything_can_tell_its_own_crash() {
        use nix::libc;
        let looked = std::thread::spawn(|| {
            let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: a place for a set, which the call fills.
            unsafe { libc::sigfillset(all.as_mut_ptr()) };
            // SAFETY: filled above; the old one is not asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut()) };
            let before = blocked();
            let (told, mask) = mpsc::channel();
            let run = move || told.send(blocked()).unwrap();
            spawn(Purpose::Watch, None, run).unwrap().join().unwrap();
            assert_eq!(blocked(), before, "the starter's own");
            mask.recv().unwrap()
        });
        let mask = looked.join().unwrap();
        let has = |signal: libc::c_int| mask & 1 << (signal - 1) != 0;
        assert!(!has(libc::SIGSEGV) && !has(libc::SIGBUS) && !has(libc::SIGABRT), "{mask:x}");
        assert!(has(libc::SIGTERM) && has(libc::SIGPROF), "{mask:x}");
    }

    #[test]
    fn a_hook_that_panics_is_an_error_where_somebody_waits_for_it_and_else_the_thread_goes_on() {
        let hook = || Some(Hook::new(|name: &str| panic!("not in {name}")));
        let error = spawn(Purpose::Listener, hook(), || panic!("it ran")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`on_thread` panicked in shmipc-listener: not in shmipc-listener"
        );
        let (told, ran) = mpsc::channel();
        spawn(Purpose::Reaper, hook(), move || told.send(()).unwrap()).unwrap().join().unwrap();
        ran.recv().unwrap();
    }
}
