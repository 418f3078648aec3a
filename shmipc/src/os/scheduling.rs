//! What a new thread takes over from the one that starts it, and how it is kept from doing so.

use std::mem::MaybeUninit;
use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;

use nix::libc;

/// Signals that an instruction raises in its own thread: blocked, they would end the process
/// without a word.
const OWN: [libc::c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

/// Keeps signals from this thread, and from those that it starts for good.
pub(crate) struct SignalsBlocked {
    /// What it had before; `None` where the system refused.
    before: Option<libc::sigset_t>,
}

impl SignalsBlocked {
    pub(crate) fn new() -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: no set, so nothing changes; a place for the one that there is.
        let asked = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), before.as_mut_ptr())
        };
        if asked != 0 {
            return Self { before: None };
        }
        // SAFETY: the call succeeded and filled it.
        let before = unsafe { before.assume_init() };
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: a place for a set, which the call fills.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: a set.
        let is_profiled = unsafe { libc::sigismember(&raw const before, libc::SIGPROF) } == 0;
        for signal in OWN.into_iter().chain(is_profiled.then_some(libc::SIGPROF)) {
            // SAFETY: filled above.
            unsafe { libc::sigdelset(set.as_mut_ptr(), signal) };
        }
        // The whole mask, as this thread may have blocked those too. It cannot fail for a set that
        // is there.
        // SAFETY: filled above; the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
        Self { before: Some(before) }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: a set; the old one is not asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
        }
    }
}

/// A set of so many processors, more than there are.
type Processors = [libc::cpu_set_t; 8];

/// Gives a thread the ordinary policy, and the processors of the process's first thread or, with
/// `anywhere`, all that the process may have. Where the system refuses it keeps what it took over.
pub(crate) fn reset_scheduling(thread: &JoinHandle<()>, anywhere: bool) {
    // The C libraries differ in whether it is a number or a pointer.
    let id = thread.as_pthread_t() as libc::pthread_t;
    // SAFETY: plain numbers, for which zero is a value.
    let ordinary: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the thread was neither joined nor detached, as its handle is here.
    unsafe { libc::pthread_setschedparam(id, libc::SCHED_OTHER, &raw const ordinary) };
    // SAFETY: plain bits, for which zero is a value.
    let mut processors: Processors = unsafe { std::mem::zeroed() };
    let length = size_of::<Processors>();
    if anywhere {
        // SAFETY: inside the set, of which every bit pattern is a value.
        unsafe { std::ptr::write_bytes(&raw mut processors, 0xFF, 1) };
    } else {
        let first = libc::pid_t::try_from(std::process::id()).unwrap_or(0);
        // SAFETY: a place of that length.
        let known = unsafe { libc::sched_getaffinity(first, length, processors.as_mut_ptr()) };
        if known != 0 {
            return;
        }
    }
    // SAFETY: the thread is there, as above; a set of that length.
    unsafe { libc::pthread_setaffinity_np(id, length, processors.as_ptr()) };
}
