//! The short form of `hostile-run`: some hundred hostile sessions with a fixed seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc_tests::Watchdog;
use shmipc_tests::hostile::conduct::{self, Wanted};

/// A server and an honest client come through 400 hostile sessions, and a client through 40 sessions with
/// a hostile server.
#[test]
fn nothing_breaks_in_some_hundred_hostile_sessions() {
    let _watchdog = Watchdog::start(180);
    let wanted = Wanted { sessions: 400, reverse: 40, first: 0, seed: 4, attackers: 4 };
    let report = conduct::run(env!("CARGO_BIN_EXE_hostile-run"), wanted).unwrap();
    println!("{}", report.text());
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!(report.tally.sessions, 400);
    // It did attack, and it did call: not all was refused.
    assert!(report.tally.accused > 50, "{} accused", report.tally.accused);
    assert!(report.tally.served > 50, "{} served", report.tally.served);
    assert!(report.honest.calls > 100 && report.honest.connects > 0, "{:?}", report.honest);
    assert!(report.reverse.calls_failed > 20, "{:?}", report.reverse);
}
