//! While both sides are awake the kernel is not asked. Counted by `strace`, where there is one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const ROUND_TRIPS: &str = "200000";

fn can_trace_on_two_processors() -> bool {
    let traces = Command::new("strace").args(["-c", "-o", "/dev/null", "true"]).status();
    let pins = Command::new("taskset").args(["-c", "1", "true"]).status();
    traces.is_ok_and(|status| status.success()) && pins.is_ok_and(|status| status.success())
}

/// All calls that `strace -c` counted.
fn total(summary: &Path) -> u64 {
    let text = fs::read_to_string(summary).unwrap();
    let line = text.lines().find(|line| line.ends_with("total")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().collect();
    println!("{line}");
    numbers[3].parse().unwrap()
}

#[test]
fn a_conversation_makes_no_system_call_per_message() {
    let _watchdog = Watchdog::start(120);
    if !can_trace_on_two_processors() {
        println!("skipped: needs strace, taskset and two processors");
        return;
    }
    let name = unique_name("strace");
    let summaries =
        ["server", "client"].map(|side| std::env::temp_dir().join(format!("{name}.{side}")));
    let traced = |cpu, summary: &Path, peer: &[&str]| {
        let summary = summary.to_str().unwrap();
        let trace = ["-c", cpu, "strace", "-f", "-c", "-o", summary, PEER];
        PeerProcess::start("taskset", &[&trace, peer].concat()).unwrap()
    };
    // On processors of their own, or waiting means making room for the other.
    let mut server = traced("0", &summaries[0], &["serve", &name, "spin=100000"]);
    assert_eq!(server.line().unwrap(), "ready");
    let client = traced("1", &summaries[1], &["echoes", &name, ROUND_TRIPS]);
    assert!(client.wait().unwrap());
    assert!(server.wait().unwrap());
    let messages = ROUND_TRIPS.parse::<u64>().unwrap();
    for summary in &summaries {
        let calls = total(summary);
        // Starting, connecting and being descheduled now and then cost some hundreds.
        assert!(calls < messages / 50, "{calls} system calls for {messages} round trips");
        fs::remove_file(summary).unwrap();
    }
}
