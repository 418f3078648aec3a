//! What the tests share: a protocol that can be asked to do anything, peers as real processes that
//! can be killed and stopped, and a watchdog for whatever may hang.

pub mod counted;
pub mod counting;
pub mod deed;
pub mod doer;
pub mod guest;
pub mod handler;
pub mod hostile;
pub mod process;
pub mod protocol;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A server name that nobody else uses.
#[must_use]
pub fn unique_name(test: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{test}-{}-{count}", std::process::id())
}

/// Ends the whole test process if it is not dropped in time: a hang is a failure, not a wait.
#[derive(Debug)]
pub struct Watchdog(Option<mpsc::Sender<()>>);

impl Watchdog {
    /// Starts the watch.
    #[must_use]
    pub fn start(seconds: u64) -> Self {
        let (alive, watch) = mpsc::channel::<()>();
        thread::spawn(move || {
            if watch.recv_timeout(Duration::from_secs(seconds))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                eprintln!("watchdog: the test still ran after {seconds} s");
                std::process::exit(101);
            }
        });
        Self(Some(alive))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0 = None;
    }
}

/// Whether the deep form of the tests runs: as root, alone on the machine, with the figures that
/// are promised. Said by `SHMIPC_DEEP=1`.
#[must_use]
pub fn is_deep() -> bool {
    std::env::var_os("SHMIPC_DEEP").is_some_and(|value| value != "0")
}

/// Makes a test of each function for each kind of doorbell.
#[macro_export]
macro_rules! with_both_doorbells {
    ($($(#[$attribute:meta])* $test:ident),* $(,)?) => {
        mod futex {
            $($(#[$attribute])* #[test] fn $test() { super::$test(shmipc::Doorbell::Futex) })*
        }
        mod event {
            $($(#[$attribute])* #[test] fn $test() { super::$test(shmipc::Doorbell::Event) })*
        }
    };
}

/// Names of this project's segments in shared memory, of every process on the machine.
#[must_use]
pub fn segment_names() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/dev/shm") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("shmipc."))
        .collect()
}

/// Open descriptors of a process.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A number from a process's status: `VmRSS` in KiB, `Threads`, `voluntary_ctxt_switches`.
#[must_use]
pub fn status(path: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A process's threads.
#[must_use]
pub fn threads(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, |tasks| tasks.count() as u64)
}

/// The link segments that this process has open, for tests that write into them as no correct peer
/// would.
#[must_use]
pub fn open_links() -> Vec<std::fs::File> {
    let open = |path| std::fs::OpenOptions::new().read(true).write(true).open(path).ok();
    open_link_paths().into_iter().filter_map(open).collect()
}

/// Where those can be opened once more: their names are gone.
#[must_use]
pub fn open_link_paths() -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let is_link = |path: &std::path::PathBuf| {
        std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("/shmipc.l."))
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_link).collect()
}
