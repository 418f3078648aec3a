//! The library's own threads: what they take over from the program, which is nothing, and what
//! `on_thread` does to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shmipc::{Client, ConnectError, ServeError, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::process::{PeerProcess, skipped};
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent};
use shmipc_tests::{Watchdog, unique_name};

const PROGRAM: &str = env!("CARGO_BIN_EXE_threads");

/// A thread as the system knows it.
#[derive(Debug)]
struct Thread {
    name: String,
    /// Signals that are blocked, a bit for each, from 1 on.
    blocked: u64,
    policy: u32,
    processors: String,
}

impl Thread {
    fn read(path: &std::path::Path) -> Option<Self> {
        let status = fs::read_to_string(path.join("status")).ok()?;
        let word = |field: &str| {
            let line = status.lines().find(|line| line.starts_with(field))?;
            line.split_whitespace().nth(1).map(str::to_owned)
        };
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        // Field 41 of the whole line; the name and the one before it are gone.
        let policy = stat.rsplit(')').next()?.split_whitespace().nth(38)?.parse().ok()?;
        Some(Self {
            name: fs::read_to_string(path.join("comm")).ok()?.trim().to_owned(),
            blocked: u64::from_str_radix(&word("SigBlk:")?, 16).ok()?,
            policy,
            processors: word("Cpus_allowed_list:")?,
        })
    }

    fn blocks(&self, signal: Signal) -> bool {
        self.blocked & 1 << (signal as i32 - 1) != 0
    }
}

/// All that can be blocked: the C library does it for a moment in a thread that starts or ends
/// another, and in the new one.
const EVERYTHING: u64 = !(1 << (Signal::SIGKILL as u64 - 1) | 1 << (Signal::SIGSTOP as u64 - 1));

/// The library's threads in a process, once those are there that are expected, and none of them has
/// everything blocked, or stays so.
fn library_threads(pid: u32, expected: &[&str]) -> Vec<Thread> {
    let mut patience = 1_000;
    loop {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let found: Vec<_> = tasks.filter_map(|task| Thread::read(&task.ok()?.path())).collect();
        let found: Vec<_> =
            found.into_iter().filter(|thread| thread.name.starts_with("shmipc-")).collect();
        if expected.iter().all(|name| found.iter().any(|thread| thread.name == *name)) {
            if patience == 0 || found.iter().all(|thread| thread.blocked != EVERYTHING) {
                return found;
            }
            patience -= 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts the program in a role and sees that its threads are nobody's but the library's, and that
/// it gets its signal.
fn in_role(role: &str, manners: &[&str], expected: &[&str]) {
    let name = unique_name("threads");
    let of_others = (role != "server")
        .then(|| Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap());
    let arguments = [&[role, name.as_str()], manners].concat();
    let mut program = PeerProcess::start(PROGRAM, &arguments).unwrap();
    let Ok(line) = program.line() else {
        return skipped(&format!("{manners:?} is not allowed here"));
    };
    assert_eq!(line, "waiting");
    let client = (role == "server").then(|| Client::<Probe>::connect(&name).unwrap());
    let pid = program.pid();
    let first = Thread::read(format!("/proc/{pid}/task/{pid}").as_ref()).unwrap();
    for thread in library_threads(pid, expected) {
        let told = format!("{role} {manners:?}: {thread:?}");
        for signal in [Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGCHLD, Signal::SIGHUP] {
            assert!(thread.blocks(signal), "{signal} goes to {told}");
        }
        for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGABRT, Signal::SIGPROF] {
            assert!(!thread.blocks(signal), "{signal} is kept from {told}");
        }
        assert_eq!(thread.policy, 0, "{told}");
        assert_eq!(thread.processors, first.processors, "{told}");
    }
    kill(Pid::from_raw(pid as i32), Signal::SIGTERM).unwrap();
    assert_eq!(program.line().unwrap(), "SIGTERM", "{role} {manners:?}");
    assert!(program.wait().unwrap());
    drop((client, of_others));
}

/// Programs that first use the library and then decide about signals died of what they meant to
/// wait for; a thread that pinned itself, or was real-time, had the library's threads do the same.
#[test]
fn threads_take_nothing_over_from_who_starts_them() {
    let _watchdog = Watchdog::start(120);
    for manners in [&[][..], &["pinned"], &["pinned", "fifo"]] {
        in_role("server", manners, &["shmipc-listener", "shmipc-watch"]);
        in_role("client", manners, &["shmipc-watch"]);
        in_role("events", manners, &["shmipc-events", "shmipc-watch"]);
        in_role("late", manners, &["shmipc-reaper", "shmipc-watch"]);
    }
}

/// The names that a hook was called with.
#[derive(Debug, Default, Clone)]
struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    fn hook(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let names = self.clone();
        move |name| {
            assert_eq!(thread::current().name(), Some(name));
            names.0.lock().unwrap().insert(name.to_owned());
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap().contains(name)
    }
}

#[test]
fn the_hook_runs_first_in_each_thread_of_its_endpoint() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("hooks");
    let [served, connected] = [(); 2].map(|()| Names::default());
    let server = Server::<Probe>::builder(&name).on_thread(served.hook()).bind().unwrap();
    let _running = server.serve(Prober::default()).unwrap();
    // Already now: who serves may count on it.
    assert!(served.has("shmipc-listener"));
    let client = Client::<Probe>::builder(&name)
        .on_thread(connected.hook())
        .on_event(|_event: ProbeEvent| {})
        .connect()
        .unwrap();
    assert!(connected.has("shmipc-events"));
    client.with_deadline(Duration::from_millis(1)).slow(100, 0).unwrap_err();
    while !connected.has("shmipc-reaper") {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!served.has("shmipc-events") && !connected.has("shmipc-listener"));
    assert_eq!(client.echo(vec![1]).unwrap(), [1]);
}

#[test]
fn a_hook_that_panics_is_told_and_ends_nothing_else() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("bad-hook");
    let no = |thread: &str| panic!("not in {thread}");
    let server = Server::<Probe>::builder(&name).on_thread(no).bind().unwrap();
    match server.serve(Prober::default()).unwrap_err() {
        ServeError::Thread(source) => {
            let text = source.to_string();
            assert!(
                text.ends_with("panicked in shmipc-listener: not in shmipc-listener"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    // The name is free, and so is its next owner.
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let builder = Client::<Probe>::builder(&name).on_event(|_event: ProbeEvent| {});
    match builder.on_thread(no).connect().unwrap_err() {
        ConnectError::Thread(source) => {
            let text = source.to_string();
            assert!(text.ends_with("panicked in shmipc-events: not in shmipc-events"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // Without a listener only threads that others wait for: they go on.
    let client = Client::<Probe>::builder(&name).on_thread(no).connect().unwrap();
    client.with_deadline(Duration::from_millis(1)).slow(50, 0).unwrap_err();
    assert_eq!(client.echo(vec![7]).unwrap(), [7]);
    while client.peer_ids().unwrap().len() > 1 {
        thread::sleep(Duration::from_millis(1));
    }
}
