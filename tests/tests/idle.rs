//! Who has nothing to do does nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::thread;
use std::time::Duration;

use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, status, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const SECONDS: u64 = 4;

/// Times that a process's threads went to sleep so far: each wake-up ends in one.
fn sleeps(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .map(|thread| {
            let path = thread.unwrap().path().join("status");
            status(&path.display().to_string(), "voluntary_ctxt_switches").unwrap_or(0)
        })
        .sum()
}

/// Processor time of a process so far, in clock ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Fields 14 and 15 of the whole line; the name and the one before it are gone.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_idle_server_and_its_idle_clients_sleep() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("idle");
    let mut server = PeerProcess::start(PEER, &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let mut clients: Vec<_> =
        (0..3).map(|_| PeerProcess::start(PEER, &["idle", &name]).unwrap()).collect();
    for client in &mut clients {
        assert_eq!(client.line().unwrap(), "idle");
    }
    thread::sleep(Duration::from_secs(1));
    let pids: Vec<u32> = clients.iter().map(PeerProcess::pid).chain([server.pid()]).collect();
    let before: Vec<_> = pids.iter().map(|pid| (sleeps(*pid), ticks(*pid))).collect();
    thread::sleep(Duration::from_secs(SECONDS));
    for (pid, (sleeps_before, ticks_before)) in pids.iter().zip(before) {
        let wakes = sleeps(*pid) - sleeps_before;
        let used = ticks(*pid) - ticks_before;
        println!("pid {pid}: {wakes} wake-ups and {used} ticks of 10 ms in {SECONDS} s");
        assert!(wakes < 5 * SECONDS, "{wakes} wake-ups in {SECONDS} s");
        assert!(used <= 2, "{used} ticks in {SECONDS} s");
    }
}
