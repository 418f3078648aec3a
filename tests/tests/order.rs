//! A million numbered notices each way at the same time: all there, in order, each once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc_tests::Watchdog;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::{unique_name, with_both_doorbells};

use shmipc::Doorbell;

const PEER: &str = env!("CARGO_BIN_EXE_peer");

with_both_doorbells!(
    a_million_notices_each_way_between_two_processes,
    three_clients_with_four_threads_each,
);

fn serve(test: &str, doorbell: Doorbell) -> (String, PeerProcess) {
    let name = unique_name(test);
    let kind = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
    let mut server = PeerProcess::start(PEER, &["serve", &name, kind]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    (name, server)
}

fn a_million_notices_each_way_between_two_processes(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(300);
    let (name, server) = serve("million", doorbell);
    let mut client =
        PeerProcess::start(PEER, &["numbers", &name, "1", "1000000", "1000000"]).unwrap();
    assert_eq!(client.line().unwrap(), "1000000 0");
    assert!(client.wait().unwrap());
    assert!(server.wait().unwrap());
}

fn three_clients_with_four_threads_each(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(300);
    let (name, server) = serve("twelve", doorbell);
    let clients: Vec<_> = (0..3)
        .map(|_| PeerProcess::start(PEER, &["numbers", &name, "4", "250000", "1000000"]).unwrap())
        .collect();
    for mut client in clients {
        assert_eq!(client.line().unwrap(), "1000000 0");
        assert!(client.wait().unwrap());
    }
    assert!(server.wait().unwrap());
}
