//! A client's call and the server's listener, as they are: the request wakes the listener through
//! the lane's announcement, the ready bits and the registry's bell; the reply wakes the caller.

use loom::thread;

use super::rig::{
    Count, NEVER, ONE_FRAME, POLICY, Rig, THREE_FRAMES, call, counting, rig, server_link,
};
use super::{Model, check};
use crate::endpoint::client::modelled::listen;
use crate::endpoint::server::modelled::serve;
use crate::link::outbound::WhenFull;
use crate::sync::{self, Fault};

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "listener/call",
        preemptions: Some(3),
        run: one_call,
        faults: &[
            Fault::AnnouncedLate,
            Fault::AnnouncedUnfenced,
            Fault::LookedUnfenced,
            Fault::TokenLate,
            Fault::SummaryFirst,
        ],
    },
    Model {
        name: "listener/event",
        preemptions: Some(3),
        run: one_event,
        faults: &[
            Fault::AnnouncedLate,
            Fault::AnnouncedUnfenced,
            Fault::LookedUnfenced,
            Fault::TokenLate,
        ],
    },
];

fn calls(times: u64) {
    let Rig { client, registry, segment, .. } = rig(THREE_FRAMES, ONE_FRAME);
    let (listener, server, _) = serve(registry, Some(segment), POLICY, counting(|_| {}));
    let listener = thread::spawn(listener);
    for number in 0..times {
        assert_eq!(call(&client, number).expect("a reply"), number + 1);
    }
    server.stop();
    listener.join().expect("the listener");
}

/// An event wakes the client's listener, and so does the end of its client.
fn one_event() {
    let Rig { client, events, registry, segment } = rig(ONE_FRAME, ONE_FRAME);
    let (server, _inbound) = server_link(&registry.into(), segment);
    let main = sync::current();
    let (listener, stop) = listen(client, events, counting(move |_| main.unpark()));
    let listener = thread::spawn(listener);
    server.notify(&Count(1), NEVER, WhenFull::Count).expect("sent");
    sync::park_timeout(NEVER);
    stop();
    listener.join().expect("the listener");
}

fn one_call() {
    calls(1);
}

#[test]
fn a_call_wakes_the_listener_and_its_reply_the_caller() {
    check(MODELS);
}
