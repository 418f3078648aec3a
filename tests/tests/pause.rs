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

fn a_server_stopped_for_five_seconds_is_not_dead(doorbell: Doorbell) {
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
    thread::sleep(Duration::from_secs(4));
    // A stopped server keeps its name.
    assert!(Server::<Probe>::bind(&name).is_err());
    server.go_on();
    for (number, caller) in patient.into_iter().enumerate() {
        assert_eq!(caller.join().unwrap().unwrap(), [number as u8]);
    }
    assert_eq!(client.process_id().unwrap(), server.pid());
}

fn a_client_stopped_for_a_second_is_not_dead(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("client-stopped");
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).bind().unwrap();
    let _running = server.serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let mut other = PeerProcess::start(PEER, &["calls", &name]).unwrap();
    assert_eq!(other.line().unwrap(), "calling");
    other.stop();
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(50));
        assert_eq!(client.peer_ids().unwrap().len(), 2);
    }
    other.go_on();
    assert_eq!(client.comings().unwrap().1, Vec::<String>::new());
}
