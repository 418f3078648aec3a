//! A link whose name leads somewhere else from one moment to the next: to a file that keeps whoever
//! opens it and waits (its owner holds a lease on it), or to a pipe.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;

use super::super::link::{self, Plan};
use super::super::raw::wait_for;
use super::{Session, Verdict};

/// Offers in one session: the right moment comes about every fourth time.
const OFFERS: usize = 24;
/// Far beyond what a hand-over takes, and below the honest client's deadline.
const HANGS: Duration = Duration::from_secs(3);

/// Offers a link again and again while its name is swapped to and fro. Whatever the answers are,
/// they come.
pub(super) fn swapped(session: &mut Session<'_>) -> Result<Verdict, String> {
    let (id, other) = (session.id(), link::path(session.id()));
    let is_leased = session.rng.u8(0..4) > 0;
    let Ok(raw) = link::make(session.server, id, Plan::rings(4 << 10)) else {
        return Ok(Verdict::Whatever);
    };
    let name = link::path(id);
    let decoy = if is_leased { leased(&other).map(Some) } else { pipe(&other).map(|()| None) };
    let decoy = decoy.map_err(|error| format!("no decoy: {error}"))?;
    let (stop, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    let worst = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // The server may have removed either.
                let _ = exchange(&name, &other);
                begun.store(true, Ordering::Relaxed);
            }
        });
        // An offer before that would be taken on, and the session over.
        while !begun.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        let worst = (0..OFFERS).map_while(|_| offer(session, id)).max();
        stop.store(true, Ordering::Relaxed);
        worst
    });
    for path in [&name, &other] {
        let _ = std::fs::remove_file(path);
    }
    drop((raw, decoy));
    match worst {
        Some(worst) if worst > HANGS => Err(format!("an offer was answered after {worst:?}")),
        Some(_) => Ok(Verdict::Refused),
        // The first offer was taken on, or there was no slot: nothing was shown.
        None => Ok(Verdict::Whatever),
    }
}

/// Offers the link, and gives the time to the answer. `None`: it was taken on, or all slots are in
/// use.
fn offer(session: &Session<'_>, id: u128) -> Option<Duration> {
    let server = session.server;
    let slot = server.claim()?;
    // The last answer to the same link is not this one's.
    let before = super::super::registry::Registry::slot(slot);
    server.raw.set64(before + super::super::layout::registry::SLOT_ANSWERED, 0);
    let started = Instant::now();
    let mut answer = None;
    // Another attacker may scribble over the slot meanwhile.
    while answer.is_none() && started.elapsed() < 2 * HANGS {
        server.offer(slot, id);
        answer = wait_for(Duration::from_millis(250), || server.answer(slot, id));
    }
    let took = started.elapsed();
    server.release(slot);
    (answer != Some(super::super::layout::registry::ACCEPTED)).then_some(took)
}

/// A file that keeps whoever opens it until its lease is given up, or the kernel's patience ends
/// after 45 s.
fn leased(path: &Path) -> io::Result<File> {
    // What the kernel sends to who holds a lease that somebody waits for.
    // SAFETY: ignoring a signal runs nothing.
    unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }?;
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
    file.set_len(4096 + 4 * 4096)?;
    // SAFETY: takes numbers.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

fn pipe(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?)
}

fn exchange(one: &PathBuf, other: &PathBuf) -> io::Result<()> {
    let [one, other] = [one, other].map(|path| CString::new(path.as_os_str().as_bytes()));
    let (one, other) = (one?, other?);
    // SAFETY: both are C strings.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
