//! The short form of the long run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use shmipc_tests::Watchdog;

const SOAK: &str = env!("CARGO_BIN_EXE_soak");

#[test]
fn fifteen_seconds_of_everything_leave_the_honest_ones_as_they_were() {
    let _watchdog = Watchdog::start(240);
    let output = Command::new(SOAK).args(["--minutes", "0.25"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
