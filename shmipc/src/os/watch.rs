//! Deaths as the kernel tells them: one thread for the whole process sleeps until a watched process
//! ends, and then wakes this process's side of the link. Only a hint that shortens the notice:
//! whether the peer is dead is asked of the lock ([`crate::os::liveness`]). So a wrong pid (the
//! peer's own word, or of another pid namespace) costs a wake-up at most.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::descriptor::close_forgotten;
use super::ending::{self, open_pidfd};
use super::generation::is_unprepared;
use super::thread::{self, Hook, Purpose};

/// Between two tries where the kernel cannot tell.
const TROUBLE: Duration = Duration::from_millis(20);

/// Told whether the kernel itself said that the process ended.
type Wake = Box<dyn Fn(bool) + Send>;

struct Watched {
    key: u64,
    pidfd: Arc<OwnedFd>,
    wake: Wake,
}

/// Everything that is watched. The thread ends when nothing is.
pub(crate) struct Watcher {
    watched: Vec<Watched>,
    last_key: u64,
    /// Tells the running thread that the list changed.
    changed: Option<Arc<EventFd>>,
}

static WATCHER: Mutex<Watcher> =
    Mutex::new(Watcher { watched: Vec::new(), last_key: 0, changed: None });

/// A watch that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    key: u64,
    pidfd: Arc<OwnedFd>,
}

impl Watch {
    /// Calls `wake` once when process `pid` ends, or cannot be watched any more: with `true` if the
    /// kernel says that it ended. `None` where the kernel does not tell (no such
    /// process in this pid namespace, no more descriptors).
    pub(crate) fn start(
        pid: u32,
        hook: Option<&Hook>,
        wake: impl Fn(bool) + Send + 'static,
    ) -> Option<Self> {
        if pid == 0 || pid == std::process::id() {
            return None;
        }
        let pidfd = Arc::new(open_pidfd(pid).ok()?);
        let mut watcher = lock();
        if watcher.changed.is_none() {
            watcher.changed = Some(start_thread(hook)?);
        }
        watcher.last_key += 1;
        let key = watcher.last_key;
        watcher.watched.push(Watched { key, pidfd: pidfd.clone(), wake: Box::new(wake) });
        watcher.tell();
        Some(Self { key, pidfd })
    }

    /// Is the process past its last instruction, though the kernel may not have told its end yet?
    /// Some ten microseconds: for who has waited in vain.
    pub(crate) fn is_ending(&self) -> bool {
        ending::is_ending(&self.pidfd)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if is_unprepared() {
            // A parent's thread may hold the lock for ever.
            return;
        }
        let mut watcher = lock();
        let index = watcher.watched.iter().position(|watched| watched.key == self.key);
        let ended = index.map(|index| watcher.watched.swap_remove(index));
        watcher.tell();
        drop(watcher);
        // The closure may hold the last reference to something; not under the lock.
        drop(ended);
    }
}

impl Watcher {
    /// For a forked child, which has the list and not the thread. Nothing is dropped: what the
    /// entries lead to may be in the middle of a change that another thread of the parent was
    /// making.
    pub(crate) fn forget_all(&mut self) {
        let pidfds = self.watched.iter().map(|watched| watched.pidfd.as_raw_fd());
        let changed = self.changed.iter().map(|changed| changed.as_raw_fd());
        for file in pidfds.chain(changed) {
            // SAFETY: open as long as its owner lives, which is forgotten below and never drops.
            unsafe { close_forgotten(file) };
        }
        std::mem::forget(std::mem::take(&mut self.watched));
        std::mem::forget(self.changed.take());
    }

    fn tell(&self) {
        if let Some(changed) = &self.changed {
            // Fails only when 2^64 changes are pending, and then the thread is awake.
            let _ = changed.write(1);
        }
    }
}

/// The lock, unless somebody has it.
pub(crate) fn try_lock() -> Option<MutexGuard<'static, Watcher>> {
    match WATCHER.try_lock() {
        Ok(watcher) => Some(watcher),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

pub(crate) fn lock() -> MutexGuard<'static, Watcher> {
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start_thread(hook: Option<&Hook>) -> Option<Arc<EventFd>> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let changed = Arc::new(EventFd::from_value_and_flags(0, flags).ok()?);
    let for_thread = Arc::clone(&changed);
    let run = move || run(&for_thread);
    thread::spawn(Purpose::Watch, hook.cloned(), run).ok().map(|_| changed)
}

fn run(changed: &EventFd) {
    loop {
        let pidfds: Vec<(u64, Arc<OwnedFd>)> = {
            let mut watcher = lock();
            if watcher.watched.is_empty() {
                // Under the lock, so that whoever starts a watch now starts a thread too.
                watcher.changed = None;
                return;
            }
            watcher.watched.iter().map(|w| (w.key, Arc::clone(&w.pidfd))).collect()
        };
        let ended = wait(changed, &pidfds);
        for (key, is_certain) in ended {
            let mut watcher = lock();
            let index = watcher.watched.iter().position(|watched| watched.key == key);
            let watched = index.map(|index| watcher.watched.swap_remove(index));
            drop(watcher);
            if let Some(watched) = watched {
                (watched.wake)(is_certain);
            }
        }
    }
}

/// Sleeps until the list changed or processes ended; gives the keys of those, and whether that is
/// what their descriptors say.
fn wait(changed: &EventFd, pidfds: &[(u64, Arc<OwnedFd>)]) -> Vec<(u64, bool)> {
    let mut fds = vec![PollFd::new(changed.as_fd(), PollFlags::POLLIN)];
    fds.extend(pidfds.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
    match nix::poll::poll(&mut fds, PollTimeout::NONE) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Vec::new(),
        Err(_) => {
            // More than this process may have open now, or no memory: until that is over deaths are
            // found by looking, within a second.
            std::thread::sleep(TROUBLE);
            return Vec::new();
        }
    }
    // An empty counter is no error that matters: the list is read again either way.
    let _ = changed.read();
    let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let says_ended = |fd: &PollFd<'_>| {
        fd.revents().is_some_and(|told| {
            told.contains(PollFlags::POLLIN) && !told.contains(PollFlags::POLLNVAL)
        })
    };
    let ready = fds[1..].iter().zip(pidfds).filter(|(fd, _)| is_ready(fd));
    ready.map(|(fd, (key, _))| (*key, says_ended(fd))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    #[test]
    fn the_end_of_a_process_is_told_once() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let (told, ended) = mpsc::channel();
        let watch =
            Watch::start(child.id(), None, move |certain| told.send(certain).unwrap()).unwrap();
        assert!(ended.recv_timeout(Duration::from_millis(20)).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        let told = ended.recv_timeout(Duration::from_secs(30));
        assert!(told.expect("a watchdog: the end was not told"), "uncertain");
        drop(watch);
        assert!(ended.recv_timeout(Duration::from_secs(30)).is_err(), "told twice");
    }

    #[test]
    fn no_watch_on_nobody() {
        assert!(Watch::start(0, None, |_| {}).is_none());
        assert!(Watch::start(u32::MAX, None, |_| {}).is_none());
    }
}
