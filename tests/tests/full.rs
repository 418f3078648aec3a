//! Shared memory of 1 MiB: errors that say what was needed and what there was, and never a bus error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use shmipc_tests::Watchdog;

const FULL: &str = env!("CARGO_BIN_EXE_full");

#[test]
fn a_small_shared_memory_is_an_error_and_never_a_bus_error() {
    let _watchdog = Watchdog::start(120);
    let script = format!("mount -t tmpfs -o size=1m tmpfs /dev/shm && exec '{FULL}'");
    // Root needs no user namespace, and some systems give nobody else one.
    let user: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    let arguments = [user, &["--mount", "sh", "-c", script.as_str()]].concat();
    let output = match Command::new("unshare").args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: no `unshare` ({error})");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unshare:") || errors.contains("mount:") {
        println!("skipped: no mount namespace here ({errors})");
        return;
    }
    println!("{text}");
    assert!(output.status.success(), "{}: {text}{errors}", output.status);
    assert!(text.ends_with("all is well\n"), "{text}{errors}");
}
