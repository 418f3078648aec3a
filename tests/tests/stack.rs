//! Values that need more stack than their thread has are refused, and nobody ends of it. Each of
//! these ended a process once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, unique_name};

const DEEP: &str = env!("CARGO_BIN_EXE_deep");

/// What a call told, from a thread with so many KiB of stack.
fn call(name: &str, request: &str, stack: u32) -> String {
    let stack = stack.to_string();
    let mut caller = PeerProcess::start(DEEP, &["call", name, request, &stack]).unwrap();
    let told = caller.line().unwrap();
    assert_eq!(caller.line().unwrap(), "Ok(7)", "{request}: {told}");
    assert!(caller.wait().unwrap());
    told
}

fn serve() -> (String, PeerProcess) {
    let name = unique_name("stack");
    let mut server = PeerProcess::start(DEEP, &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    (name, server)
}

fn is_refused(told: &str) -> bool {
    told.contains("this thread's stack") && told.contains("levels") && told.contains("KiB are left")
}

#[test]
fn replies_too_deep_for_their_callers_stack_are_refused() {
    let _watchdog = Watchdog::start(60);
    let (name, _server) = serve();
    let told = call(&name, "give1=120", 256);
    assert!(is_refused(&told) && told.contains("the request ran"), "{told}");
    let told = call(&name, "give4=120", 2048);
    assert!(told == "120" || is_refused(&told), "{told}");
    let told = call(&name, "give4=120", 512);
    assert!(is_refused(&told), "{told}");
}

#[test]
fn what_fits_is_decoded_on_small_and_large_stacks() {
    let _watchdog = Watchdog::start(60);
    let (name, _server) = serve();
    for (request, stack, levels) in [
        ("small=120", 256, "120"),
        ("small=20", 64, "20"),
        ("give1=20", 256, "20"),
        ("give1=120", 4096, "120"),
        ("give4=120", 0, "120"),
        ("give4=250", 32 << 10, "250"),
    ] {
        assert_eq!(call(&name, request, stack), levels, "{request} on {stack} KiB");
    }
}

#[test]
fn requests_do_not_overflow_a_servers_stack() {
    let _watchdog = Watchdog::start(60);
    let (name, _server) = serve();
    assert_eq!(call(&name, "take16=120", 32 << 10), "120");
    assert_eq!(call(&name, "pads=120", 32 << 10), "120");
    assert_eq!(call(&name, "pads=250", 32 << 10), "250");
    let told = call(&name, "wide=250", 32 << 10);
    assert!(is_refused(&told) && told.contains("rejected the request"), "{told}");
    assert_eq!(call(&name, "wide=5", 32 << 10), "5");
}
