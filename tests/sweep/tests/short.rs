//! A short sweep, as it runs with the other tests: every step of every side, and some random
//! moments.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Kills are quick, but the machine may not be.
const WATCHDOG: Duration = Duration::from_secs(240);
/// The table's names: all of them must be reached.
const STEPS: u64 = 38;

#[test]
fn a_short_sweep_finds_nothing() {
    let file = std::env::temp_dir().join(format!("crash-sweep-{}.json", std::process::id()));
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_crash-sweep"))
        // The time of notice is for the long sweep on a quiet machine; here it only must not hang.
        .args(["--seed", "20", "--trials", "1", "--moments", "100", "--notice", "5000", "--json"])
        .arg(&file)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = sweep.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > WATCHDOG {
            sweep.kill().unwrap();
            panic!("the sweep still ran after {WATCHDOG:?}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    // Its own output, above, says what it found and how to see it again.
    assert!(status.success(), "the sweep found faults: {status}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "damaged",
        "disturbed_others",
        "hung",
        "leaked_fds",
        "leaked_names",
        "lost",
        "notice_ms_max",
        "notice_ms_p50",
        "notice_ms_p99",
        "repeated",
        "steps",
        "trials",
        "wrong_outcome",
    ];
    assert_eq!(keys, expected);
    assert_eq!(result["steps"], STEPS);
    assert!(result["trials"].as_u64().unwrap() > 100);
    for fault in &expected[..7] {
        if !fault.starts_with("notice") {
            assert_eq!(result[fault], 0, "{fault}");
        }
    }
    assert!(result["notice_ms_p50"].as_f64().unwrap() > 0.0, "nobody noticed anything");
}
