//! Processes past their last instruction. The kernel lets go of a dead process's locks, and tells
//! its end by a pidfd, only when its memory is freed and its core is written: seconds later for
//! gibibytes. What its threads do is seen at once.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc;

/// A thread that is in its exit (`PF_EXITING`), waits there for a core to be written
/// (`PF_POSTCOREDUMP`), or writes it (`PF_DUMPCORE`): it never runs the program again. The bits
/// mean this, or nothing, in all kernels that have pidfds.
const ENDING: u64 = 0x4 | 0x8 | 0x200;

/// A descriptor that becomes readable when the process ends.
pub(crate) fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: takes two numbers and touches no memory; CLOEXEC is the system's default for it.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened and that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Will the process certainly never run another instruction of its program? `false` also where the
/// system does not tell. What it wrote before is visible afterwards.
pub(crate) fn is_ending(pidfd: &OwnedFd) -> bool {
    let Some(pid) = pid_in_proc(pidfd) else { return false };
    // A thread could have been started, and its starter have ended, while the list was read. If no
    // other is listed now, none of those that are could start one.
    let Some(first) = ending_threads(pid) else { return false };
    let Some(second) = ending_threads(pid) else { return false };
    let is_ending = second.iter().all(|thread| first.contains(thread)) && !second.is_empty();
    // SYNC(death): the other end is the kernel's. Its threads' last stores came before the locks
    // that they took on their way out, and those before what `/proc` told; what is looked at
    // next comes after.
    crate::sync::fence(crate::sync::Ordering::SeqCst);
    is_ending
}

/// The process's number where `/proc` is mounted: that may be another pid namespace's. `None`: it
/// is gone, or has none there.
fn pid_in_proc(pidfd: &OwnedFd) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok().filter(|pid| *pid > 0)
}

/// The threads of a process, if all of them are ending. `None` also where one went meanwhile: the
/// kernel ends its list at such a one, and who stands behind it is not told.
fn ending_threads(pid: u32) -> Option<Vec<u32>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let entry = entry.ok()?;
        // Not as text: a thread's name is any bytes, and often cut within a character.
        let stat = fs::read(entry.path().join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // Behind the name, which may contain anything: the state, five numbers, and the flags.
        let flags = stat.rsplit(')').next()?.split_ascii_whitespace().nth(6)?;
        if flags.parse::<u64>().ok()? & ENDING == 0 {
            return None;
        }
        threads.push(entry.file_name().to_str()?.parse().ok()?);
    }
    Some(threads)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::os::open_pidfd;

    /// Looks again and again, with a watchdog.
    fn until(what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(60), "a watchdog: {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_process_that_lives_sleeps_or_is_stopped_is_not_ending() {
        assert!(!is_ending(&open_pidfd(std::process::id()).unwrap()));
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let pidfd = open_pidfd(child.id()).unwrap();
        assert!(!is_ending(&pidfd));
        let stopped = Command::new("kill").args(["-STOP", &child.id().to_string()]).status();
        assert!(stopped.unwrap().success());
        assert!(!is_ending(&pidfd));
        child.kill().unwrap();
        // Nobody has waited for it: as dead as it gets with its number.
        until("a killed process is not ending", || is_ending(&pidfd));
        child.wait().unwrap();
        assert!(!is_ending(&pidfd), "its number is free for others");
    }

    /// The first thread may end long before the others, whose names may be no text.
    #[test]
    fn a_process_whose_first_thread_ended_is_not_ending() {
        for name in ["other", "\\xff\\xfe"] {
            look_at_one_whose_first_thread_ended(name);
        }
    }

    fn look_at_one_whose_first_thread_ended(name: &str) {
        let program = format!(
            "import ctypes, threading, time\n\
             libc, named = ctypes.CDLL(None), threading.Event()\n\
             def run():\n \
               libc.prctl(15, b'{name}', 0, 0, 0)\n \
               named.set()\n \
               time.sleep(1000)\n\
             threading.Thread(target=run).start()\n\
             named.wait()\n\
             libc.pthread_exit(None)"
        );
        let child = Command::new("python3")
            .args(["-c", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        // Where there is no Python nothing is shown.
        let Ok(mut child) = child else { return };
        let state = || fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        until("the first thread did not end", || state().contains(") Z"));
        let pidfd = open_pidfd(child.id()).unwrap();
        let is_ending = is_ending(&pidfd);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_ending);
    }
}
