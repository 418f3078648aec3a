//! A client's call and the server's listener, as they are: the request wakes the listener through the
//! lane's announcement, the ready bits and the registry's bell; the reply wakes the caller.

use loom::thread;

use super::rig::{MANNER, ONE_FRAME, Rig, THREE_FRAMES, call, counting, rig};
use super::{Model, check};
use crate::server::modelled::serve;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[Model {
    name: "listener/call",
    preemptions: Some(2),
    run: one_call,
    faults: &[
        Fault::AnnouncedLate,
        Fault::AnnouncedUnfenced,
        Fault::LookedUnfenced,
        Fault::TokenLate,
        Fault::ListenerLate,
        Fault::SummaryFirst,
    ],
}];

fn calls(times: u64) {
    let Rig { client, registry, segment } = rig(THREE_FRAMES, ONE_FRAME);
    let (listener, server) = serve(registry, Some(segment), MANNER, counting(|_| {}));
    let listener = thread::spawn(listener);
    for number in 0..times {
        assert_eq!(call(&client, number).expect("a reply"), number + 1);
    }
    server.stop();
    listener.join().expect("the listener");
}

fn one_call() {
    calls(1);
}

#[test]
fn a_call_wakes_the_listener_and_its_reply_the_caller() {
    check(MODELS);
}
