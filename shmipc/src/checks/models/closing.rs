//! A server's thread closes a link while its listener takes a request: what the caller is told was
//! not started did not run, and it is told.
//!
//! The fences of closing and of the look at the end cannot be refuted here one by one, nor both:
//! the caller's announcement between its look at the goodbye and its look at the position is a
//! third, and one of them is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::thread;

use super::rig::{ONE_FRAME, Rig, call, counting, rig, server_link};
use super::{Model, check};
use crate::endpoint::session::Session;
use crate::error::{CallError, Departure, Outcome};
use crate::link::control::Goodbye;
use crate::link::outbound::WhenFull;
use crate::ring::Label;
use crate::ring::frame::Kind;
use crate::sync::Fault;
use crate::typed::context::Context;
use crate::typed::server::ServerHandle;

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "closing",
        preemptions: Some(3),
        run: with_a_goodbye,
        faults: &[Fault::PublishedLate, Fault::GoodbyeFirst, Fault::ClosedQuietly],
    },
    Model {
        name: "closing/full-lane",
        preemptions: Some(3),
        run: with_a_full_lane,
        faults: &[Fault::TakenUnfenced, Fault::PublishedLate],
    },
];

/// The goodbye's frame fits into the lane, and its sender looks whether it must ring.
fn with_a_goodbye() {
    close_while_taking(false);
}

/// There is no room for the goodbye's frame: nothing but the word tells.
fn with_a_full_lane() {
    close_while_taking(true);
}

fn close_while_taking(lane_is_full: bool) {
    let Rig { client, registry, segment, .. } = rig(ONE_FRAME, ONE_FRAME);
    let (server, inbound) = server_link(&registry.into(), segment);
    if lane_is_full {
        let label = Label::new(Kind::Notice, 0);
        let sent = server.messages().send_queueing(&server, label, &0_u64, WhenFull::Refuse);
        assert!(sent.is_ok());
    }
    let context = Context::of_server(server.clone(), ServerHandle::none());
    let mut session = Session::new(server.clone(), inbound, context);
    // Not one of the checker's: it is looked at after everything.
    let ran = Arc::new(AtomicBool::new(false));
    let runs = ran.clone();
    let listener = thread::spawn(move || {
        let mut service = counting(move |_| runs.store(true, Ordering::SeqCst));
        session.process(service.as_mut(), || false);
    });
    let closer = thread::spawn(move || {
        server.close(&Goodbye::Closed, Departure::ClosedHere);
    });
    let called = call(&client, 1);
    listener.join().expect("the listener");
    closer.join().expect("the closer");
    let ran = ran.load(Ordering::SeqCst);
    match called {
        Ok(number) => assert!(ran && number == 2),
        Err(CallError::PeerGone { outcome: Outcome::NotStarted, .. }) => {
            assert!(!ran, "not started, but it ran");
        }
        Err(CallError::PeerGone { .. } | CallError::NotSent(_)) => {}
        other => assert!(other.is_ok(), "{other:?}"),
    }
}

#[test]
fn what_was_not_started_did_not_run() {
    check(MODELS);
}
