//! Hand-over: a client offers its link in a slot, the server's listener takes it on and answers.

use loom::thread;

use super::rig::{ONE_FRAME, POLICY, counting, options};
use super::{Model, check};
use crate::endpoint::client::connect::hand_over_in_memory;
use crate::endpoint::server::modelled::serve;
use crate::segment::link::LinkSegment;
use crate::segment::registry;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "hand-over/alone",
        preemptions: Some(3),
        run: alone,
        faults: &[
            Fault::OfferedEarly,
            Fault::AnsweredEarly,
            Fault::AnswerRungEarly,
            Fault::AnnouncedLate,
            Fault::TokenLate,
        ],
    },
    Model {
        name: "hand-over/after-another",
        preemptions: Some(2),
        run: after_another,
        faults: &[Fault::OfferedEarly],
    },
];

const FIRST: u128 = 1 << 64 | 2;
const SECOND: u128 = 3 << 64 | 4;

/// One client gives up right after it offered; the next has the same slot.
fn hand_over(first_gives_up: bool) {
    let (registry, view) = registry::in_memory();
    let links = [FIRST, SECOND].map(|id| LinkSegment::offered(id, options(ONE_FRAME, ONE_FRAME)));
    let [first, second] = links;
    let (listener, server, _) = serve(registry, None, POLICY, counting(|_| {}));
    let listener = thread::spawn(listener);
    if first_gives_up {
        let slot = view.claim_slot().expect("free");
        slot.announce(FIRST);
        slot.offer();
    }
    let slot = view.claim_slot().expect("free again");
    slot.announce(SECOND);
    let (index, id) = hand_over_in_memory(&view, &slot, SECOND, second).expect("taken on");
    assert!(index <= 1 && (1..=2).contains(&id));
    drop(slot);
    drop(first);
    server.stop();
    listener.join().expect("the listener");
}

fn alone() {
    hand_over(false);
}

fn after_another() {
    hand_over(true);
}

#[test]
fn an_offer_is_answered() {
    check(MODELS);
}
