//! A stopped peer is alive.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use shmipc::{CallError, Client, Doorbell, Outcome, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient};
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

const PEER: &str = env!("CARGO_BIN_EXE_peer");

with_both_doorbells!(
    a_server_stopped_for_five_seconds_is_not_dead,
    a_client_stopped_for_a_second_is_not_dead,
);

/// The same for longer than any time-out of the library: `cargo test --test pause -- --ignored`.
mod deep {
    use super::{Doorbell, a_stopped_client_is_not_dead, a_stopped_server_is_not_dead};

    #[test]
    #[ignore = "ten seconds"]
    fn a_server_stopped_for_ten_seconds_is_not_dead_futex() {
        a_stopped_server_is_not_dead(Doorbell::Futex, 10);
    }

    #[test]
    #[ignore = "ten seconds"]
    fn a_server_stopped_for_ten_seconds_is_not_dead_event() {
        a_stopped_server_is_not_dead(Doorbell::Event, 10);
    }

    #[test]
    #[ignore = "ten seconds"]
    fn a_client_stopped_for_ten_seconds_is_not_dead_futex() {
        a_stopped_client_is_not_dead(Doorbell::Futex, 10);
    }

    #[test]
    #[ignore = "ten seconds"]
    fn a_client_stopped_for_ten_seconds_is_not_dead_event() {
        a_stopped_client_is_not_dead(Doorbell::Event, 10);
    }
}

fn a_server_stopped_for_five_seconds_is_not_dead(doorbell: Doorbell) {
    a_stopped_server_is_not_dead(doorbell, 5);
}

fn a_client_stopped_for_a_second_is_not_dead(doorbell: Doorbell) {
    a_stopped_client_is_not_dead(doorbell, 1);
}

fn a_stopped_server_is_not_dead(doorbell: Doorbell, seconds: u64) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("stopped");
    let kind = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
    let mut server = PeerProcess::start(PEER, &["serve", &name, kind]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let client =
        Client::<Probe>::builder(&name).deadline(Duration::from_secs(30)).connect().unwrap();
    client.process_id().unwrap();
    server.stop();
    let patient: Vec<_> = (0..3)
        .map(|number| {
            let client = client.clone();
            thread::spawn(move || client.echo(vec![number]))
        })
        .collect();
    // Somebody with less patience learns that, and nothing worse.
    let impatient = client.with_deadline(Duration::from_secs(1));
    match impatient.process_id() {
        Err(CallError::Deadline { outcome: Outcome::MayHaveRun, .. }) => {}
        other => panic!("{other:?}"),
    }
    thread::sleep(Duration::from_secs(seconds - 1));
    // A stopped server keeps its name.
    assert!(Server::<Probe>::bind(&name).is_err());
    server.go_on();
    for (number, caller) in patient.into_iter().enumerate() {
        assert_eq!(caller.join().unwrap().unwrap(), [number as u8]);
    }
    assert_eq!(client.process_id().unwrap(), server.pid());
}

fn a_stopped_client_is_not_dead(doorbell: Doorbell, seconds: u64) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("client-stopped");
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).bind().unwrap();
    let _running = server.serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let mut other = PeerProcess::start(PEER, &["calls", &name]).unwrap();
    assert_eq!(other.line().unwrap(), "calling");
    other.stop();
    for _ in 0..20 * seconds {
        thread::sleep(Duration::from_millis(50));
        assert_eq!(client.peer_ids().unwrap().len(), 2);
    }
    other.go_on();
    // It goes on calling, over the same link.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(client.peer_ids().unwrap().len(), 2);
    assert_eq!(client.comings().unwrap().1, Vec::<String>::new());
}
