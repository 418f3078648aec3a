//! The short form of `hostile-run`: some hundred hostile sessions with a fixed seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc_tests::Watchdog;
use shmipc_tests::hostile::conduct::{self, Wanted};

/// A server and an honest client come through 400 hostile sessions, and a client through 40
/// sessions with a hostile server.
#[test]
fn nothing_breaks_in_some_hundred_hostile_sessions() {
    let _watchdog = Watchdog::start(180);
    let wanted = Wanted { sessions: 400, reverse: 40, first: 0, seed: 4, attackers: 4 };
    let report = conduct::run(env!("CARGO_BIN_EXE_hostile-run"), wanted).unwrap();
    println!("{}", report.text());
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
}
