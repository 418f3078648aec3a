//! Shared memory of 1 MiB: errors that say what was needed and what there was, and never a bus
//! error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc_tests::Watchdog;
use shmipc_tests::process::in_a_small_shared_memory;

const FULL: &str = env!("CARGO_BIN_EXE_full");

#[test]
fn a_small_shared_memory_is_an_error_and_never_a_bus_error() {
    let _watchdog = Watchdog::start(120);
    let Some(text) = in_a_small_shared_memory(&format!("exec '{FULL}'")) else { return };
    println!("{text}");
    assert!(text.ends_with("all is well\n"), "{text}");
}
