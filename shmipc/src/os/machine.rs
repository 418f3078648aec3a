//! Facts of the machine and of this process, and random bits.

use std::io;
use std::time::Duration;

use nix::libc;

/// Processors of the machine that are in use.
pub(crate) fn processors() -> u64 {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    count.ok().flatten().and_then(|count| u64::try_from(count).ok()).unwrap_or(1)
}

/// The processor that this thread runs on just now; a few nanoseconds with a C library that knows
/// restartable sequences. `None` where the system does not tell.
#[inline]
pub(crate) fn current_cpu() -> Option<u32> {
    if cfg!(loom) {
        // Models run the same way each time.
        return None;
    }
    // SAFETY: takes nothing and touches no memory of ours.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// 128 random bits from the system.
pub(crate) fn random_u128() -> io::Result<u128> {
    let mut bytes = [0; 16];
    // SAFETY: the buffer is 16 bytes long, as said. Requests of up to 256 bytes are never cut short
    // once the system's generator is ready, which the call waits for.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 16 { Ok(u128::from_ne_bytes(bytes)) } else { Err(io::Error::last_os_error()) }
}

/// This process's effective user.
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// This process's effective group.
pub(crate) fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// A time as the system takes it: at most the 68 years that it can count everywhere.
pub(crate) fn timespec(time: Duration) -> libc::timespec {
    const LONGEST: Duration = Duration::from_secs(i32::MAX as u64);
    *nix::sys::time::TimeSpec::from_duration(time.min(LONGEST)).as_ref()
}
