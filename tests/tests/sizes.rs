//! Messages of every size, through a ring that is smaller than most of them, both ways.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::time::Duration;

use shmipc::{Client, Doorbell};
use shmipc_tests::handler::checksum;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const RING: usize = 64 << 10;

with_both_doorbells!(
    sizes_around_the_ring_and_its_end,
    from_nothing_to_64_mebibytes,
    large_events,
    large_and_small_from_several_threads,
);

fn start(test: &str, doorbell: Doorbell) -> (Client<Probe>, PeerProcess) {
    let (client, server, _) = start_listening(test, doorbell);
    (client, server)
}

fn start_listening(
    test: &str,
    doorbell: Doorbell,
) -> (Client<Probe>, PeerProcess, mpsc::Receiver<ProbeEvent>) {
    let name = unique_name(test);
    let kind = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
    let ring = format!("ring={RING}");
    let mut server = PeerProcess::start(PEER, &["serve", &name, kind, &ring]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let (told, events) = mpsc::channel();
    let client = Client::<Probe>::builder(&name)
        .deadline(Duration::from_secs(60))
        .on_event(move |event| {
            // The test may be over.
            let _ = told.send(event);
        })
        .connect()
        .unwrap();
    (client, server, events)
}

fn sizes_around_the_ring_and_its_end(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(200);
    let (client, _server) = start("around", doorbell);
    // Every size near an eighth, a quarter, half, one and two rings: where frames, fragments and
    // pads change places. Echoes move both rings' ends along by odd steps.
    for center in [RING / 8, RING / 4, RING / 2, RING, 2 * RING] {
        for size in center - 80..=center + 40 {
            assert_eq!(client.echo(pattern(size)).unwrap(), pattern(size), "{size}");
        }
    }
    for size in 0..600 {
        assert_eq!(client.echo(pattern(size)).unwrap(), pattern(size), "{size}");
    }
}

fn from_nothing_to_64_mebibytes(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(200);
    let (client, _server) = start("mebibytes", doorbell);
    let (mut count, mut sum) = (0, 0);
    let most = 64 << 20;
    for size in [0, 1, 1000, 65_535, 65_536, 1 << 20, (8 << 20) + 3, most] {
        let bytes = pattern(size);
        client.send(&Probe::Bytes { bytes: bytes.clone() }).unwrap();
        count += size as u64;
        sum = checksum(sum, &bytes);
        assert_eq!(client.bytes_sum().unwrap(), (count, sum), "to the server: {size}");
        // A reply is eight bytes of length and the bytes.
        assert_eq!(client.fill(size as u64).unwrap(), bytes, "to the client: {size}");
    }
    // Encoded, the default's largest message: 64 MiB and 4 KiB.
    let largest = (64 << 20) + 4096 - 8;
    assert_eq!(client.fill(largest).unwrap().len() as u64, largest);
    client.fill(largest + 1).unwrap_err();
}

fn large_events(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(200);
    let (client, _server, events) = start_listening("events", doorbell);
    for size in [0, 10, RING - 1, RING, 5 << 20, 64 << 20] {
        client.broadcast(size as u64).unwrap();
        let event = events.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(event, ProbeEvent::Bytes { bytes: pattern(size) }, "{size}");
    }
}

fn large_and_small_from_several_threads(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(200);
    let (client, _server) = start("mixed", doorbell);
    let callers: Vec<_> = (0..4)
        .map(|thread| {
            let client = client.clone();
            std::thread::spawn(move || {
                for round in 0..40 {
                    let size = if (thread + round) % 4 == 0 { 300_000 + round } else { round };
                    assert_eq!(client.echo(pattern(size)).unwrap(), pattern(size));
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
}
