//! Waiting for room: a client's blocking send, and a server's queue of replies.

use loom::thread;

use super::rig::{Count, NEVER, ONE_FRAME, POLICY, Rig, THREE_FRAMES, counting, rig};
use super::{Model, check};
use crate::endpoint::server::modelled::serve;
use crate::link::outbound::WhenFull;
use crate::os::wait::Deadline;
use crate::ring::Label;
use crate::ring::frame::Kind;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "room/blocking",
        preemptions: Some(2),
        run: blocking,
        faults: &[Fault::RoomUnfenced, Fault::AnnouncedLate, Fault::TokenLate],
    },
    Model {
        name: "room/queueing",
        preemptions: Some(2),
        run: queueing,
        faults: &[Fault::RoomUnfenced],
    },
    Model {
        name: "room/queueing-elsewhere",
        preemptions: Some(2),
        run: queueing_elsewhere,
        faults: &[Fault::QueueAnnouncedLate, Fault::RoomUnlooked],
    },
];

/// Two notices through a lane with room for one.
fn blocking() {
    let Rig { client, registry, segment, .. } = rig(ONE_FRAME, ONE_FRAME);
    let (listener, server, _) = serve(registry, Some(segment), POLICY, counting(|_| {}));
    let listener = thread::spawn(listener);
    client.notify(&Count(1), NEVER, WhenFull::Refuse).expect("sent");
    client.notify(&Count(2), NEVER, WhenFull::Refuse).expect("sent once there was room");
    server.stop();
    listener.join().expect("the listener");
}

/// Two replies through a lane with room for one: the second waits in the server's queue until the
/// caller gives room back.
fn queueing() {
    let Rig { client, registry, segment, .. } = rig(THREE_FRAMES, ONE_FRAME);
    let (listener, server, _) = serve(registry, Some(segment), POLICY, counting(|_| {}));
    let listener = thread::spawn(listener);
    let calls = [10_u64, 20].map(|number| {
        let call_id = client.calls().begin();
        client.request_only(call_id, &Count(number)).expect("sent");
        (call_id, number)
    });
    for (call_id, number) in calls {
        let read = |bytes: &[u8]| crate::codec::decode::<u64>(bytes);
        let answer = client.calls().wait(&client, call_id, &mut Deadline::never(), read);
        assert_eq!(answer.expect("no end").expect("no failure").expect("a number"), number + 1);
    }
    server.stop();
    listener.join().expect("the listener");
}

/// The same where another thread of the server sends the replies, while the listener sleeps.
fn queueing_elsewhere() {
    let Rig { client, registry, segment, .. } = rig(ONE_FRAME, ONE_FRAME);
    let (listener, server, link) = serve(registry, Some(segment), POLICY, counting(|_| {}));
    let link = link.expect("a link");
    let calls = [client.calls().begin(), client.calls().begin()];
    let listener = thread::spawn(listener);
    // Until the listener sleeps.
    thread::yield_now();
    let caller = thread::spawn(move || {
        for call_id in calls {
            let read = |bytes: &[u8]| crate::codec::decode::<u32>(bytes);
            let answer = client.calls().wait(&client, call_id, &mut Deadline::never(), read);
            assert_eq!(answer.expect("no end").expect("no failure").expect("a number"), call_id);
        }
    });
    for call_id in calls {
        let label = Label::new(Kind::Reply, call_id);
        let sent = link.replies().send_queueing(&link, label, &call_id, WhenFull::Queue);
        assert!(sent.is_ok());
    }
    caller.join().expect("the caller");
    server.stop();
    listener.join().expect("the listener");
}

impl crate::link::Link {
    /// Sends a request without waiting for its reply.
    fn request_only(&self, call_id: u32, value: &Count) -> Result<(), crate::SendError> {
        let label = Label::new(Kind::Request, call_id);
        self.messages().send_queueing(self, label, value, WhenFull::Refuse).map(drop)
    }
}

#[test]
fn who_waits_for_room_is_woken() {
    check(MODELS);
}
