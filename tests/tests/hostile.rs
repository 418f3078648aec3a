//! A peer that writes into its link as no correct one does. Alone in its program: it looks for its
//! link among all that the process has open.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::FileExt;

use shmipc::{CallError, Client, Departure, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};
use shmipc_tests::{Watchdog, open_links, unique_name};

/// A damaged position found while the lane's lock was held ended the link, which took that lock.
#[test]
fn a_damaged_position_ends_one_link_and_nothing_else() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("damaged");
    let server = Server::<Probe>::builder(&name).ring_size(4096).bind().unwrap();
    let running = server.serve(Prober::default()).unwrap();
    let (gate, wait) = std::sync::mpsc::channel::<()>();
    let (told, handling) = std::sync::mpsc::channel();
    let evil = Client::<Probe>::builder(&name)
        .on_event(move |_event: ProbeEvent| {
            let _ = told.send(());
            let _ = wait.recv();
        })
        .connect()
        .unwrap();
    evil.broadcast(0).unwrap();
    // From here on its own listener writes nothing over the damage.
    handling.recv().unwrap();
    // Both ends are here; either file is the link. The head of the lane of messages to the client:
    // lanes from 1,408 on, 512 bytes each, the head first.
    let link = open_links().pop().unwrap();
    link.write_all_at(&(1_u64 << 40).to_le_bytes(), 1408 + 512).unwrap();
    let handle = running.handle();
    for _ in 0..40 {
        handle.broadcast(&ProbeEvent::Bytes { bytes: pattern(500) });
    }
    let good = Client::<Probe>::connect(&name).unwrap();
    assert_eq!(good.echo(vec![1]).unwrap(), [1]);
    assert_eq!(good.peer_ids().unwrap(), [good.id()]);
    assert!(good.comings().unwrap().1[0].contains("broke the protocol"));
    match evil.process_id().unwrap_err() {
        CallError::PeerGone { departure: Departure::AccusedUs(_), .. } => {}
        other => panic!("{other:?}"),
    }
    drop(gate);
}
