//! Turns at writing to one lane: threads that wait in line for one who makes a frame in the ring,
//! and messages that are queued meanwhile.

use std::sync::Arc;

use loom::thread;

use super::rig::{Count, NEVER, Rig, THREE_FRAMES, rig, server_link};
use super::{Model, check};
use crate::link::Link;
use crate::link::inbound::Inbound;
use crate::link::outbound::WhenFull;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "turn/in-line",
        preemptions: Some(3),
        run: in_line,
        faults: &[Fault::TurnUntold],
    },
    Model {
        name: "turn/queued",
        preemptions: Some(3),
        run: queued,
        faults: &[Fault::QueueUnlooked],
    },
];

/// Too large for a small frame, and given to the encoder in pieces.
const LARGE: [u64; 8] = [7; 8];

/// A frame that is made in the ring and a small one; the ring has room for both.
fn send_from_two_threads(link: Arc<Link>) {
    let others = [true, false].map(|is_large| {
        let link = link.clone();
        thread::spawn(move || match is_large {
            true => link.notify(&LARGE, NEVER, WhenFull::Count),
            false => link.notify(&Count(1), NEVER, WhenFull::Count),
        })
    });
    for other in others {
        other.join().expect("a sender").expect("sent");
    }
}

fn expect_both(inbound: &mut Inbound) {
    let mut lengths = Vec::new();
    while let Some(_received) = inbound.next().expect("no damage") {
        lengths.push(inbound.payload().len());
    }
    lengths.sort_unstable();
    assert_eq!(lengths, [8, 64]);
}

/// A client's threads.
fn in_line() {
    let Rig { client, registry, segment, .. } = rig(THREE_FRAMES, THREE_FRAMES);
    let (_server, mut inbound) = server_link(&Arc::new(registry), segment);
    send_from_two_threads(client);
    expect_both(&mut inbound);
}

/// A server's threads.
fn queued() {
    let Rig { client: _client, registry, segment, mut events } = rig(THREE_FRAMES, THREE_FRAMES);
    let (server, _inbound) = server_link(&Arc::new(registry), segment);
    send_from_two_threads(server);
    expect_both(&mut events);
}

#[test]
fn turns_end_and_nothing_is_left_behind() {
    check(MODELS);
}
