//! Peers as other users, in other namespaces, and forked: the protocol that they speak, and how a
//! test starts them.

#![allow(missing_docs, reason = "the fields of the variants say it all")]

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use shmipc::{Context, Departure, ShmMessage};

use crate::process::PeerProcess;

/// What a server says about the one who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub pid: u32,
    pub pid_is_certain: bool,
    pub uid: u32,
    pub gid: u32,
}

/// Asks who one is.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Identity {
    /// Who is asking?
    #[shm(reply = Caller)]
    Who,
    /// A notice.
    Note,
    /// Notices so far, clients linked, and how clients left, in words.
    #[shm(reply = (u64, u64, Vec<String>))]
    Seen,
}

/// Handles [`Identity`].
#[derive(Debug, Default)]
pub struct Doorkeeper {
    notes: u64,
    departures: Vec<String>,
}

impl IdentityHandler for Doorkeeper {
    fn who(&mut self, cx: &Context<Identity>) -> Caller {
        let peer = cx.peer();
        Caller {
            pid: peer.pid(),
            pid_is_certain: peer.pid_is_certain(),
            uid: peer.uid(),
            gid: peer.gid(),
        }
    }

    fn note(&mut self, _cx: &Context<Identity>) {
        self.notes += 1;
    }

    fn seen(&mut self, cx: &Context<Identity>) -> (u64, u64, Vec<String>) {
        (self.notes, cx.server().peers().len() as u64, self.departures.clone())
    }

    fn peer_departed(&mut self, _cx: &Context<Identity>, departure: &Departure) {
        self.departures.push(departure.to_string());
    }
}

/// Is this process root? If not, says on the terminal, past the test harness's capture, that the
/// test was left out.
#[must_use]
pub fn is_root_or_skipped(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        // Nobody to tell if even that fails.
        let _ = writeln!(io::stderr(), "skipped: {test} needs root");
    }
    root
}

/// A guest's process and the guest itself, where it runs in namespaces of its own.
#[derive(Debug)]
pub struct Guest {
    process: PeerProcess,
}

impl Guest {
    /// Starts `guest` with these words.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(program: &str, words: &str) -> io::Result<Self> {
        let words: Vec<&str> = words.split_whitespace().collect();
        Ok(Self { process: PeerProcess::start(program, &words)? })
    }

    /// Runs a shell's script as the first process of a pid namespace of its own.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_apart(script: &str) -> io::Result<Self> {
        // Some versions of `unshare` complain when their child is killed; what the script complains
        // about is heard.
        let apart = "exec 3>&2 2>/dev/null; exec unshare --pid --fork --kill-child --mount-proc \
                     sh -c \"exec 2>&3 3>&-; $0\"";
        Ok(Self { process: PeerProcess::start("sh", &["-c", apart, script])? })
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut PeerProcess {
        &mut self.process
    }

    /// Its next line.
    ///
    /// # Errors
    /// It ended.
    pub fn line(&mut self) -> io::Result<String> {
        self.process.line()
    }

    /// Has it end in order, by the end of its input.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn end(self) -> io::Result<bool> {
        self.process.wait()
    }

    /// The pid, in this namespace, of the process that [`start_apart`](Self::start_apart) made the
    /// first of its own.
    #[must_use]
    pub fn inner_pid(&self) -> Option<u32> {
        let pid = self.process.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }
}

/// Kills any process.
pub fn kill(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}

/// Looks until it is so; gives the time that it took. For tests with a watchdog.
pub fn until(mut is_so: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !is_so() {
        std::thread::sleep(Duration::from_micros(500));
    }
    started.elapsed()
}
