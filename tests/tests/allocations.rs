//! Beyond the decoded value itself a message allocates nothing, on either side. Both sides are
//! processes of their own that count (`counted`), and each count is exact.
//!
//! What is ignored here is demanded too, and not kept yet; the reasons say where it is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc::Doorbell;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

const COUNTED: &str = env!("CARGO_BIN_EXE_counted");

with_both_doorbells!(
    a_borrowed_notice_costs_nothing,
    a_borrowed_call_costs_nothing,
    an_owned_notice_costs_its_string,
    an_owned_call_costs_its_string,
    a_string_as_reply_costs_its_caller_one,
    waking_who_sleeps_costs_nothing,
    waiting_for_room_costs_nothing,
    more_than_the_ring_holds_costs_nothing,
    a_mebibyte_costs_nothing,
    #[ignore = "both sides' buffers are given back after each message"]
    six_mebibytes_cost_nothing,
    a_large_string_costs_its_string,
    a_large_reply_costs_its_string,
    an_event_costs_its_string,
    #[ignore = "each event that waits has memory of its own"]
    an_event_that_waits_for_room_costs_its_string,
    a_broadcast_costs_its_string,
    a_question_to_the_client_costs_nothing,
    callers_at_once_cost_nothing,
);

/// Of so many runs with [`Doorbell::Event`] one must be exact: a sleep that runs out now and then
/// costs an error that `raw_sync` allocates. With the futex the first must be.
const EVENT_RUNS: u32 = 10;

/// Has `case` send `count` messages to a server with these options, and expects so many allocations
/// for each message on the client's and on the server's side.
fn expect(case: &str, doorbell: Doorbell, count: u64, options: &[&str], each: [u64; 2]) {
    let expected = format!("client {} server {}", each[0] * count, each[1] * count);
    expect_one_of(case, doorbell, count, options, &[expected]);
}

fn expect_one_of(
    case: &str,
    doorbell: Doorbell,
    count: u64,
    options: &[&str],
    expected: &[String],
) {
    let _watchdog = Watchdog::start(120);
    let runs = if doorbell == Doorbell::Event { EVENT_RUNS } else { 1 };
    let mut spent = Vec::new();
    for _ in 0..runs {
        spent.push(run(case, doorbell, count, options));
        if spent.last().is_some_and(|spent| expected.contains(spent)) {
            return;
        }
    }
    panic!("{case}, {count} messages: {spent:?} instead of {expected:?}");
}

fn run(case: &str, doorbell: Doorbell, count: u64, options: &[&str]) -> String {
    let name = unique_name(case);
    let protocol = if case.starts_with("lent-") { "lent" } else { "owned" };
    let bell = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
    let serve = [&["serve", protocol, &name, bell], options].concat();
    let mut server = PeerProcess::start(COUNTED, &serve).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let count = count.to_string();
    let send = [&["send", case, &name, &count, bell], options].concat();
    let mut client = PeerProcess::start(COUNTED, &send).unwrap();
    let spent = client.line().unwrap();
    assert!(client.wait().unwrap());
    assert!(server.wait().unwrap());
    spent
}

fn a_borrowed_notice_costs_nothing(doorbell: Doorbell) {
    expect("lent-notice", doorbell, 1000, &[], [0, 0]);
}

fn a_borrowed_call_costs_nothing(doorbell: Doorbell) {
    expect("lent-call", doorbell, 1000, &[], [0, 0]);
}

fn an_owned_notice_costs_its_string(doorbell: Doorbell) {
    expect("owned-notice", doorbell, 1000, &[], [0, 1]);
}

fn an_owned_call_costs_its_string(doorbell: Doorbell) {
    expect("owned-call", doorbell, 1000, &[], [0, 1]);
}

fn a_string_as_reply_costs_its_caller_one(doorbell: Doorbell) {
    expect("owned-echo", doorbell, 1000, &[], [1, 1]);
}

/// A server that was woken once made a list of who had woken it.
fn waking_who_sleeps_costs_nothing(doorbell: Doorbell) {
    expect("lent-notice-asleep", doorbell, 50, &["spin=0"], [0, 0]);
    expect("lent-call-asleep", doorbell, 50, &["spin=0"], [0, 0]);
}

fn waiting_for_room_costs_nothing(doorbell: Doorbell) {
    expect("lent-notice-full", doorbell, 1000, &["ring=4096"], [0, 0]);
}

fn more_than_the_ring_holds_costs_nothing(doorbell: Doorbell) {
    expect("lent-picture-300k", doorbell, 50, &["ring=65536"], [0, 0]);
    expect("lent-measure-300k", doorbell, 50, &["ring=65536"], [0, 0]);
}

fn a_mebibyte_costs_nothing(doorbell: Doorbell) {
    expect("lent-measure-1m", doorbell, 20, &[], [0, 0]);
}

fn six_mebibytes_cost_nothing(doorbell: Doorbell) {
    expect("lent-measure-6m", doorbell, 10, &[], [0, 0]);
}

fn a_large_string_costs_its_string(doorbell: Doorbell) {
    expect("owned-notice-large", doorbell, 50, &["ring=65536"], [0, 1]);
}

fn a_large_reply_costs_its_string(doorbell: Doorbell) {
    expect("owned-echo-large", doorbell, 50, &["ring=65536"], [1, 1]);
}

fn an_event_costs_its_string(doorbell: Doorbell) {
    expect("event", doorbell, 1000, &[], [1, 0]);
}

fn an_event_that_waits_for_room_costs_its_string(doorbell: Doorbell) {
    expect("event", doorbell, 1000, &["ring=4096"], [1, 0]);
}

/// Each once was encoded to new memory, and to a new list of clients.
fn a_broadcast_costs_its_string(doorbell: Doorbell) {
    expect("broadcast", doorbell, 1000, &[], [1, 0]);
}

fn a_question_to_the_client_costs_nothing(doorbell: Doorbell) {
    expect("ask-back", doorbell, 1000, &[], [0, 0]);
}

/// But for memory for the replies to others that whoever leads has taken, kept for the next: as
/// many as ever were there at the same time, so that each of four callers may have its first one
/// late.
fn callers_at_once_cost_nothing(doorbell: Doorbell) {
    let few: Vec<_> = (0..=8).map(|client| format!("client {client} server 0")).collect();
    expect_one_of("lent-call-threads", doorbell, 4000, &[], &few);
}
