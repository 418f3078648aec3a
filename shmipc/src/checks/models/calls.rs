//! Two callers of one link: one leads, takes its reply and the other's, and hands the lane on; the
//! other follows. The replies come from a third thread.

use loom::thread;

use super::rig::{ONE_FRAME, Rig, THREE_FRAMES, rig, server_link};
use super::{Model, check};
use crate::link::Link;
use crate::link::outbound::WhenFull;
use crate::os::wait::Deadline;
use crate::ring::Label;
use crate::ring::frame::Kind;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "calls/in-order",
        preemptions: Some(3),
        run: in_order,
        faults: &[Fault::NoHandOn, Fault::HandOnEarly, Fault::FollowerUnnamed],
    },
    Model {
        name: "calls/crosswise",
        preemptions: Some(3),
        run: crosswise,
        faults: &[Fault::AnswerUntold, Fault::TokenLate, Fault::AnnouncedLate],
    },
];

fn wait(link: &Link, call_id: u32) {
    let read = |bytes: &[u8]| crate::codec::decode::<u32>(bytes);
    let answer = link.calls().wait(link, call_id, &mut Deadline::never(), read);
    let value = answer.expect("no end").expect("no failure").expect("a number");
    assert_eq!(value, call_id, "each caller gets its own reply");
}

fn callers(order: [u32; 2]) {
    let Rig { client, registry, segment, .. } = rig(ONE_FRAME, THREE_FRAMES);
    let (server, _inbound) = server_link(&registry.into(), segment);
    let callers = [(), ()].map(|()| {
        let (link, call_id) = (client.clone(), client.calls().begin());
        thread::spawn(move || wait(&link, call_id))
    });
    for call_id in order {
        let label = Label::new(Kind::Reply, call_id);
        let sent = server.replies().send_queueing(&server, label, &call_id, WhenFull::Queue);
        assert!(sent.is_ok());
    }
    for caller in callers {
        caller.join().expect("a caller");
    }
}

fn in_order() {
    callers([1, 2]);
}

fn crosswise() {
    callers([2, 1]);
}

#[test]
fn every_caller_gets_its_reply() {
    check(MODELS);
}
