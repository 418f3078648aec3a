//! What was said before the end is heard, whatever the end: replies of a server that was killed,
//! and notices of a client that is gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use shmipc::{Client, Departure, Doorbell, Server};
use shmipc_tests::handler::{Prober, checksum};
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, pattern};
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
/// A message's numbers take one line each: 63 of them fill it.
const RING: usize = 4096;

with_both_doorbells!(
    a_reply_given_before_the_server_died_is_the_calls_result,
    notices_before_the_end_are_handled_before_the_departure,
    the_last_notice_in_pieces_is_handled_before_the_departure,
);

/// The client is stopped while its call runs; the server answers and is killed. The answer lies in
/// the client's memory, so it is what the call gives, not the server's death.
fn a_reply_given_before_the_server_died_is_the_calls_result(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    for round in 0..5 {
        let name = unique_name("answered");
        let kind = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
        let tickets = std::env::temp_dir().join(&name);
        let count = format!("count={}", tickets.display());
        let mut server = PeerProcess::start(PEER, &["serve", &name, kind, &count]).unwrap();
        assert_eq!(server.line().unwrap(), "ready");
        let other = Client::<Probe>::builder(&name).deadline(Duration::from_secs(60));
        let other = other.connect().unwrap();
        let mut client = PeerProcess::start(PEER, &["asks", &name, "300"]).unwrap();
        assert_eq!(client.line().unwrap(), "asking");
        // The handler has begun.
        while std::fs::read_to_string(&tickets).is_ok_and(|text| text.is_empty())
            || !tickets.exists()
        {
            thread::sleep(Duration::from_millis(1));
        }
        client.stop();
        // Handlers run one after the other: when this one answers, the other has.
        other.process_id().unwrap();
        server.kill();
        // Some time dead, or just now.
        thread::sleep(Duration::from_millis(round * 50));
        client.go_on();
        assert_eq!(client.line().unwrap(), "7", "round {round}");
        assert!(client.wait().unwrap());
        let _ = std::fs::remove_file(&tickets);
    }
}

fn leave(doorbell: Doorbell, how: &str, count: u64, size: usize) {
    let name = unique_name("leaves");
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).ring_size(RING);
    let running = server.bind().unwrap().serve(Prober::default()).unwrap();
    let other = Client::<Probe>::builder(&name).deadline(Duration::from_secs(60));
    let other = other.connect().unwrap();
    let arguments = ["leaves", &name, how, &count.to_string(), &size.to_string()];
    let mut client = PeerProcess::start(PEER, &arguments).unwrap();
    assert_eq!(client.line().unwrap(), "here");
    let busy = {
        let other = other.clone();
        thread::spawn(move || other.slow(300, 1))
    };
    // The server is busy, or about to be; nothing is wrong if not.
    thread::sleep(Duration::from_millis(50));
    client.say("go").unwrap();
    let succeeded = client.wait().unwrap();
    assert_eq!(succeeded, how != "abort" && how != "kill", "{how}");
    busy.join().unwrap().unwrap();
    let lasts = loop {
        let lasts = other.lasts().unwrap();
        if !lasts.is_empty() {
            break lasts;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let bytes = if size > 0 { (size as u64, checksum(0, &pattern(size))) } else { (0, 0) };
    assert_eq!(lasts, [(count, 0, bytes.0, bytes.1)], "{how}: numbers, disorder, bytes, checksum");
    let (_, departures) = other.comings().unwrap();
    let said_goodbye = how == "close" || how == "drop";
    let expected = if said_goodbye { Departure::Closed } else { Departure::Died };
    assert_eq!(departures, [expected.to_string()], "{how}");
    running.stop().unwrap();
}

const ENDS: [&str; 5] = ["close", "drop", "exit", "abort", "kill"];

/// All of them fit the ring, and the server is busy: at the end all are still there.
fn notices_before_the_end_are_handled_before_the_departure(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    for how in ENDS {
        leave(doorbell, how, 60, 0);
        leave(doorbell, how, 1, 0);
    }
}

/// More than the ring holds, the last of them larger than it: its last pieces are there at the end.
fn the_last_notice_in_pieces_is_handled_before_the_departure(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    for how in ENDS {
        leave(doorbell, how, 200, 50_000);
        leave(doorbell, how, 0, 3000);
    }
}
