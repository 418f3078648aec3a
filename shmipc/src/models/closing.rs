//! A server's thread closes a link while its listener takes a request: what the caller is told was
//! not started did not run, and it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::thread;

use super::rig::{ONE_FRAME, Rig, call, counting, rig, server_link};
use super::{Model, check};
use crate::context::Context;
use crate::error::{CallError, Departure, Outcome};
use crate::note::Goodbye;
use crate::server::ServerHandle;
use crate::session::Session;
use crate::sync::Fault;

pub(super) const MODELS: &[Model] = &[Model {
    name: "closing",
    preemptions: Some(2),
    run: close_while_taking,
    faults: &[
        Fault::PublishedLate,
        Fault::GoodbyeFirst,
        Fault::CloseUnfenced,
        Fault::TakenUnfenced,
        Fault::ClosedQuietly,
    ],
}];

fn close_while_taking() {
    let Rig { client, registry, segment } = rig(ONE_FRAME, ONE_FRAME);
    let (server, inbound) = server_link(&registry.into(), segment);
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
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_was_not_started_did_not_run() {
    check(MODELS);
}
