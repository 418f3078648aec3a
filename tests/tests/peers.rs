//! Who is linked, while many come and go.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shmipc::{Client, Server};
use shmipc_tests::guest::{Doorkeeper, Identity, IdentityClient};
use shmipc_tests::{Watchdog, is_deep, unique_name};

const THREADS: u64 = 4;

/// Connects and leaves; gives the ids it had, in order.
fn come_and_go(name: &str, times: u64) -> Vec<u64> {
    (0..times)
        .map(|time| {
            let client = Client::<Identity>::builder(name).ring_size(4096).connect().unwrap();
            if time % 3 == 0 {
                client.who().unwrap();
            }
            if time % 2 == 0 {
                client.close();
            }
            client.id()
        })
        .collect()
}

#[test]
fn ids_rise_and_no_dead_one_stays_listed_while_others_come_and_go() {
    let _watchdog = Watchdog::start(600);
    let name = unique_name("peers");
    let server = Server::<Identity>::builder(&name).ring_size(4096).bind().unwrap();
    let running = server.serve(Doorkeeper::default()).unwrap();
    let handle = running.handle();
    let times = if is_deep() { 10_000 / THREADS } else { 100 };
    let over = AtomicBool::new(false);
    let rows: Vec<Vec<u64>> = thread::scope(|scope| {
        let lookers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut looks, mut seen, mut gone) = (0_u64, HashSet::new(), HashSet::new());
                    while !over.load(Ordering::Relaxed) {
                        let peers = handle.peers();
                        let ids: Vec<u64> = peers.iter().map(shmipc::Peer::id).collect();
                        assert!(ids.windows(2).all(|two| two[0] < two[1]), "{ids:?}");
                        let now: HashSet<u64> = ids.iter().copied().collect();
                        assert!(now.is_disjoint(&gone), "one that was gone is listed again");
                        gone.extend(seen.difference(&now).copied());
                        seen = now;
                        for id in ids {
                            if let Some(peer) = handle.peer(id) {
                                assert_eq!(peer.id(), id);
                                assert!(
                                    peer.pid() == std::process::id()
                                        && peer.uid() == peers[0].uid()
                                );
                            }
                        }
                        assert!(gone.iter().take(3).all(|id| handle.peer(*id).is_none()));
                        looks += 1;
                    }
                    looks
                })
            })
            .collect();
        let comers: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| come_and_go(&name, times))).collect();
        let rows = comers.into_iter().map(|comer| comer.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(lookers.into_iter().all(|looker| looker.join().unwrap() > 0));
        rows
    });
    for row in &rows {
        assert!(row.windows(2).all(|two| two[0] < two[1]), "{row:?}");
    }
    let all: HashSet<u64> = rows.iter().flatten().copied().collect();
    assert_eq!(all.len() as u64, THREADS * times, "no id twice");
    // Those that the server could not tell apart from the living are gone soon.
    while !handle.peers().is_empty() {
        thread::yield_now();
    }
    assert!(all.iter().all(|id| handle.peer(*id).is_none()));
    running.stop().unwrap();
}
