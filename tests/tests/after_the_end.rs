//! Every handle after the end of what it stands for, in every order of dropping: an error at once,
//! or nothing, and no wait. And how soon a running handler sees its caller's end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use shmipc::{
    CallError, Client, Context, Departure, Outcome, Peer, SendError, Server, ServerHandle,
};
use shmipc_tests::deed::{
    Deed, News, NewsClient, NewsReply, Spot, Trap, Work, WorkClient, WorkReply, Worker,
};
use shmipc_tests::doer::Doer;
use shmipc_tests::{Watchdog, unique_name};

const DOER: &str = env!("CARGO_BIN_EXE_doer");

/// Every method of a server's handle whose server has ended.
fn check_handle(handle: &ServerHandle<Work>) {
    let told = handle.broadcast(&News::Say);
    assert_eq!((told.delivered, told.missed), (0, 0));
    assert!(told.error.is_none());
    assert!(handle.peers().is_empty() && handle.peer(1).is_none());
    handle.stop();
    handle.stop();
    assert!(format!("{:?}", handle.clone()).contains("ServerHandle"));
}

/// Every method of a peer that is gone, or whose link this side has closed.
fn check_peer(peer: &Peer<News>) {
    assert!(!peer.is_connected());
    assert!(peer.id() > 0 && peer.pid() > 0);
    let _ = (peer.uid(), peer.gid(), peer.pid_is_certain());
    for error in [peer.say(), peer.send(&News::Say), peer.leave(Trap)] {
        let error = error.unwrap_err();
        assert!(matches!(error, SendError::PeerGone { .. } | SendError::Closed), "{error}");
    }
    for error in [peer.ask().map(|_| ()), peer.call(&News::Ask).map(|_| ())] {
        assert_eq!(error.unwrap_err().outcome(), Outcome::NotStarted);
    }
    peer.close();
    assert!(format!("{:?}", peer.with_deadline(Duration::from_secs(1))).contains("Peer"));
}

/// Every method of a client whose link has ended.
fn check_client(client: &Client<Work>) {
    assert!(!client.is_connected());
    assert!(client.id() > 0 && client.server_pid() > 0);
    assert!(client.take_rejections().is_empty());
    for error in [client.note(), client.send(&Work::Note), client.leave(Trap)] {
        let error = error.unwrap_err();
        assert!(matches!(error, SendError::PeerGone { .. } | SendError::Closed), "{error}");
    }
    let all = client.send_all([Work::Note, Work::Note]).unwrap_err();
    assert_eq!(all.sent, 0);
    for error in [client.ask().map(|_| ()), client.call(&Work::Ask).map(|_| ())] {
        let error = error.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotStarted);
        assert!(
            matches!(error, CallError::PeerGone { .. } | CallError::NotSent(SendError::Closed)),
            "{error}"
        );
    }
    client.close();
    client.with_deadline(Duration::from_secs(1)).close();
}

/// Whose end comes first, and who is dropped in what order after it.
#[test]
fn every_handle_after_every_end_answers_at_once() {
    let _watchdog = Watchdog::start(120);
    // 0: the server stops; 1: the client closes; 2: the client is dropped; 3: the peer is sent
    // away.
    for end in 0..4 {
        // Which of the handles is used last.
        for last in 0..3 {
            let name = unique_name("after");
            let server = Server::<Work>::bind(&name).unwrap();
            let running = server.serve(Worker::default()).unwrap();
            let handle = running.handle();
            let client = Client::<Work>::builder(&name);
            let client = client.serve_events_fn(|_cx, _event| NewsReply::Say).connect().unwrap();
            client.ask().unwrap();
            let peer = handle.peers().remove(0);
            let (mut client, mut running) = (Some(client), Some(running));
            match end {
                0 => running.take().map(|running| running.stop().unwrap()).unwrap(),
                1 => client.as_ref().unwrap().close(),
                2 => drop(client.take()),
                _ => peer.close(),
            }
            while peer.is_connected() || client.as_ref().is_some_and(Client::is_connected) {
                thread::sleep(Duration::from_millis(1));
            }
            drop(running.take());
            let (mut handle, mut peer) = (Some(handle), Some(peer));
            // The one that is used last comes after the others are dropped.
            for turn in 0..3 {
                match (last + 1 + turn) % 3 {
                    0 => handle.take().iter().for_each(check_handle),
                    1 => peer.take().iter().for_each(check_peer),
                    _ => client.take().iter().for_each(check_client),
                }
            }
            drop(Server::<Work>::bind(&name).unwrap());
        }
    }
}

#[test]
fn a_handler_finds_no_client_after_its_last_handle_was_dropped() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("after-client");
    let running = Server::<Work>::bind(&name).unwrap().serve(Worker::default()).unwrap();
    let (told, found) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let builder = Client::<Work>::builder(&name);
    let client = builder.serve_events_fn(move |cx: &Context<News>, _event| {
        let client = cx.client::<Work>();
        // Of another protocol there never was one.
        let other = cx.client::<News>().is_none();
        told.send((client.is_some_and(|client| client.ask().is_ok()), other)).unwrap();
        wait.recv().unwrap();
        // While its last handle is being dropped, which waits for this.
        told.send((cx.client::<Work>().is_none(), !cx.peer().is_connected())).unwrap();
        NewsReply::Say
    });
    let client = client.connect().unwrap();
    assert_eq!(running.handle().broadcast(&News::Say).delivered, 1);
    assert_eq!(found.recv().unwrap(), (true, true));
    let dropping = thread::spawn(move || drop(client));
    while !running.handle().peers().is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    go_on.send(()).unwrap();
    assert_eq!(found.recv().unwrap(), (true, true));
    dropping.join().unwrap();
    running.stop().unwrap();
}

/// The handler runs on the only listener thread, so that thread cannot tell it.
#[test]
fn a_running_handler_sees_its_callers_end() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("sees-end");
    let (told, seen) = mpsc::channel();
    let server = Server::<Work>::bind(&name).unwrap();
    let running = server.serve_fn(move |cx, message| match message {
        Work::Ask => {
            told.send("begun").unwrap();
            while cx.peer().is_connected() {
                thread::sleep(Duration::from_millis(1));
            }
            told.send("over").unwrap();
            WorkReply::Ask(0)
        }
        _ => WorkReply::Note,
    });
    let running = running.unwrap();
    for how in ["killed", "closed"] {
        let mut doer = Doer::start(DOER, &name, "client-closures", Spot::Missed, Deed::Panic);
        let client = (how == "closed").then(|| {
            let (told, departed) = mpsc::channel();
            let client = Client::<Work>::builder(&name)
                .on_departure(move |departure| told.send(departure.clone()).unwrap());
            (client.connect().unwrap(), departed)
        });
        match &client {
            None => doer.say("ask"),
            Some((client, _)) => {
                let client = client.clone();
                thread::spawn(move || drop(client.ask()));
            }
        }
        assert_eq!(seen.recv().unwrap(), "begun", "{how}");
        match &client {
            None => doer.kill(),
            Some((client, _)) => client.close(),
        }
        assert_eq!(seen.recv().unwrap(), "over", "{how}");
        if let Some((_, departed)) = client {
            assert_eq!(departed.recv().unwrap(), Departure::ClosedHere);
        }
    }
    running.stop().unwrap();
}
