//! What two sides say to each other: notices, requests, events, calls from inside handlers, and how
//! each of them fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use shmipc::{
    CallError, Client, Context, Departure, Doorbell, Local, Outcome, Rejection, Running, SendError,
    Server,
};
use shmipc_tests::handler::{Measurer, Prober};
use shmipc_tests::protocol::*;
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

with_both_doorbells!(
    requests_and_notices,
    the_enum_itself_is_sent_and_called,
    events_reach_those_who_want_them,
    calling_and_sending_from_inside_a_handler,
    many_threads_call_at_once,
    a_late_reply_is_discarded,
    a_panic_is_reported_and_the_server_goes_on,
    too_large_is_refused_before_a_byte_is_sent,
    closing_ends_calls_and_later_ones,
    a_dropped_client_departs_as_closed,
    a_stopped_server_is_told,
    borrowed_messages_arrive_without_a_copy,
    a_closure_serves_whole_messages,
);

fn serve(test: &str, doorbell: Doorbell) -> (String, Running<Probe>) {
    let name = unique_name(test);
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).bind().unwrap();
    (name, server.serve(Prober::default()).unwrap())
}

fn requests_and_notices(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("requests", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    assert_eq!(client.echo(b"hello".to_vec()).unwrap(), b"hello");
    for number in 0..1_000 {
        client.number(0, number).unwrap();
    }
    assert_eq!(client.numbers().unwrap(), (1_000, 0));
    assert_eq!(client.process_id().unwrap(), std::process::id());
    assert_eq!(client.server_pid(), std::process::id());
    assert_eq!(client.peer_ids().unwrap(), [client.id()]);
    running.stop().unwrap();
}

fn the_enum_itself_is_sent_and_called(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("enum", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    client.send(&Probe::Number { thread: 0, number: 0 }).unwrap();
    // A notice that is called is acknowledged once it was handled.
    let reply = client.call(&Probe::Number { thread: 0, number: 1 }).unwrap();
    assert!(matches!(reply, ProbeReply::Number));
    let ProbeReply::Numbers(numbers) = client.call(&Probe::Numbers).unwrap() else {
        panic!("another variant's reply");
    };
    assert_eq!(numbers, (2, 0));
    // A request that is only sent runs, and its reply goes nowhere.
    client.send(&Probe::Numbers).unwrap();
    assert_eq!(client.numbers().unwrap(), (2, 0));
}

fn events_reach_those_who_want_them(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("events", doorbell);
    let (told, events) = mpsc::channel();
    let listening = Client::<Probe>::builder(&name)
        .on_event(move |event: ProbeEvent| told.send(event).unwrap())
        .connect()
        .unwrap();
    let deaf = Client::<Probe>::connect(&name).unwrap();
    deaf.broadcast(5).unwrap();
    let event = events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(event, ProbeEvent::Bytes { bytes: pattern(5) });
    listening.send_events(1_000).unwrap();
    for number in 0..1_000 {
        let event = events.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(event, ProbeEvent::Number { number });
    }
    // Who handles no events is told so to whoever sends them.
    assert_eq!(deaf.ask_back(3).unwrap(), u64::MAX);
    // `on_event` has no replies to give.
    assert_eq!(listening.ask_back(3).unwrap(), u64::MAX);
}

struct Doubler {
    name_of_server: mpsc::Sender<u32>,
}

impl ProbeEventHandler for Doubler {
    fn number(&mut self, cx: &Context<ProbeEvent>, number: u64) {
        // A call from inside an event handler, back to the server that sent the event.
        let client = cx.client::<Probe>().expect("the client is alive and of this protocol");
        let echo = client.echo(vec![number as u8]).unwrap();
        assert_eq!(echo, [number as u8]);
        self.name_of_server.send(client.process_id().unwrap()).unwrap();
        assert!(cx.client::<Borrowed<'static>>().is_none());
    }

    fn bytes(&mut self, _cx: &Context<ProbeEvent>, _bytes: Vec<u8>) {}

    fn double(&mut self, _cx: &Context<ProbeEvent>, value: u64) -> u64 {
        value * 2
    }
}

fn calling_and_sending_from_inside_a_handler(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("inside", doorbell);
    let (told, pids) = mpsc::channel();
    let client = Client::<Probe>::builder(&name)
        .serve_events(Doubler { name_of_server: told })
        .connect()
        .unwrap();
    for value in 0..200 {
        assert_eq!(client.ask_back(value).unwrap(), value * 2);
        client.send_back(value).unwrap();
        let pid = pids.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(pid, std::process::id());
    }
}

fn many_threads_call_at_once(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    let (name, _running) = serve("threads", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    let callers: Vec<_> = (0..8_u8)
        .map(|thread| {
            let client = client.clone();
            thread::spawn(move || {
                for round in 0..300_u32 {
                    let size = (round as usize * 37) % 3_000;
                    let bytes = vec![thread ^ round as u8; size];
                    assert_eq!(client.echo(bytes.clone()).unwrap(), bytes);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
}

fn a_late_reply_is_discarded(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("late", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    let impatient = client.with_deadline(Duration::from_millis(20));
    match impatient.slow(300, 1) {
        Err(CallError::Deadline { outcome: Outcome::MayHaveRun, waited, pid }) => {
            assert!(waited >= Duration::from_millis(20));
            assert_eq!(pid, std::process::id());
        }
        other => panic!("{other:?}"),
    }
    // The next replies are its own, not the late one.
    assert_eq!(client.slow(0, 2).unwrap(), 2);
    assert_eq!(client.echo(vec![3]).unwrap(), [3]);
}

fn a_panic_is_reported_and_the_server_goes_on(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("panic", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    match client.panic("on purpose".into()) {
        Err(error @ CallError::HandlerPanicked { .. }) => {
            assert!(error.to_string().contains("on purpose"), "{error}");
            assert_eq!(error.outcome(), Outcome::Ran);
        }
        other => panic!("{other:?}"),
    }
    client.panic_quietly().unwrap();
    assert_eq!(client.echo(vec![1]).unwrap(), [1]);
    let rejections = client.take_rejections();
    assert!(
        matches!(rejections.as_slice(), [CallError::HandlerPanicked { message }]
            if message.contains("nobody")),
        "{rejections:?}"
    );
    assert!(client.take_rejections().is_empty());
}

fn too_large_is_refused_before_a_byte_is_sent(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("large");
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).max_message(10_000).bind();
    let _running = server.unwrap().serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    // Four bytes of variant, eight of length.
    let fits = Probe::Bytes { bytes: pattern(10_000 - 12) };
    client.send(&fits).unwrap();
    let message = Probe::Bytes { bytes: pattern(10_001 - 12) };
    match client.send(&message) {
        Err(SendError::TooLarge { length: 10_001, maximum: 10_000 }) => {}
        other => panic!("{other:?}"),
    }
    // The message is still here, and nothing of it was sent.
    assert_eq!(message, Probe::Bytes { bytes: pattern(10_001 - 12) });
    assert_eq!(client.bytes_sum().unwrap().0, 10_000 - 12);
    let error = client.echo(pattern(20_000)).unwrap_err();
    assert!(matches!(error, CallError::NotSent(SendError::TooLarge { .. })), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStarted);
    // A reply that is too large is the server's fault, and the caller learns it.
    match client.fill(20_000) {
        Err(CallError::ReplyFailed { why }) => assert!(why.contains("10000"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.echo(vec![1]).unwrap(), [1]);
}

fn closing_ends_calls_and_later_ones(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("close", doorbell);
    let client = Client::<Probe>::connect(&name).unwrap();
    let other = client.clone();
    let waiting = thread::spawn(move || other.slow(2_000, 1));
    thread::sleep(Duration::from_millis(100));
    client.close();
    let error = waiting.join().unwrap().unwrap_err();
    let closed = matches!(&error, CallError::PeerGone { departure: Departure::ClosedHere, .. });
    assert!(closed, "{error:?}");
    assert_eq!(error.outcome(), Outcome::MayHaveRun);
    assert!(matches!(client.number(0, 0), Err(SendError::Closed)));
    assert!(matches!(client.process_id(), Err(CallError::NotSent(SendError::Closed))));
    assert!(!client.is_connected());
}

fn a_dropped_client_departs_as_closed(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve("departs", doorbell);
    let stays = Client::<Probe>::connect(&name).unwrap();
    let leaves = Client::<Probe>::connect(&name).unwrap();
    leaves.number(0, 0).unwrap();
    drop(leaves);
    let (arrivals, departures) = loop {
        let comings = stays.comings().unwrap();
        if !comings.1.is_empty() {
            break comings;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(arrivals, 2);
    assert_eq!(departures, ["it closed the link"]);
    assert_eq!(stays.peer_ids().unwrap(), [stays.id()]);
}

fn a_stopped_server_is_told(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("stop", doorbell);
    let (told, departures) = mpsc::channel();
    let client = Client::<Probe>::builder(&name)
        .on_departure(move |departure| told.send(departure.clone()).unwrap())
        .connect()
        .unwrap();
    client.echo(vec![]).unwrap();
    running.stop().unwrap();
    let departure = departures.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(departure, Departure::ServerStopped);
    match client.process_id() {
        Err(CallError::PeerGone { departure: Departure::ServerStopped, outcome, .. }) => {
            assert_eq!(outcome, Outcome::NotStarted);
        }
        other => panic!("{other:?}"),
    }
    // The name is free at once.
    let again = Server::<Probe>::builder(&name).doorbell(doorbell).bind().unwrap();
    drop(again.serve(Prober::default()).unwrap());
}

fn borrowed_messages_arrive_without_a_copy(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("borrowed");
    let server = Server::<Borrowed<'_>>::builder(&name).doorbell(doorbell).bind().unwrap();
    let _running = server.serve(Measurer).unwrap();
    let client = Client::<Borrowed<'_>>::connect(&name).unwrap();
    for size in [0, 10, 100_000, 2_000_000] {
        let bytes = pattern(size);
        let sum = bytes.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(client.measure("naïve", &bytes).unwrap(), (5, sum));
        client.send(&Borrowed::Measure { name: "x", bytes: &bytes }).unwrap();
    }
    assert_eq!(client.plain(1).unwrap(), 2);
}

fn a_closure_serves_whole_messages(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("closure");
    let server = Server::<Borrowed<'_>>::builder(&name).doorbell(doorbell).bind().unwrap();
    let _running = server
        .serve_fn(|_cx, message| match message {
            Borrowed::Measure { name, bytes } => {
                BorrowedReply::Measure((name.len() as u64, bytes.len() as u64))
            }
            Borrowed::Plain(7) => BorrowedReply::Measure((0, 0)),
            Borrowed::Plain(value) => BorrowedReply::Plain(value),
        })
        .unwrap();
    let client = Client::<Borrowed<'_>>::connect(&name).unwrap();
    assert_eq!(client.measure("abc", &[1, 2]).unwrap(), (3, 2));
    assert_eq!(client.plain(1).unwrap(), 1);
    match client.plain(7) {
        Err(CallError::ReplyFailed { why }) => assert!(why.contains("Measure"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_generated_methods_work_without_shared_memory() {
    let probe = Local::<Probe, _>::new(Prober::default());
    assert_eq!(probe.echo(vec![1, 2]).unwrap(), [1, 2]);
    probe.number(0, 0).unwrap();
    assert_eq!(probe.numbers().unwrap(), (1, 0));
    assert!(matches!(
        probe.panic("x".into()),
        Err(CallError::HandlerPanicked { message }) if message == "x"
    ));
    // There is nobody to call back.
    assert_eq!(probe.ask_back(1).unwrap(), u64::MAX);
    let borrowed = Local::<Borrowed<'_>, _>::new(Measurer);
    assert_eq!(borrowed.measure("ab", &[1, 2]).unwrap(), (2, 3));
}

/// Two enums that look the same to the derive and differ in a type's own definition.
mod drifted {
    pub(crate) mod server {
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct Part(pub(crate) u8);

        #[derive(Debug, Serialize, Deserialize, shmipc::ShmMessage)]
        pub(crate) enum Drift {
            #[shm(reply = u32)]
            Ask(Part),
            Tell(Part),
        }
    }

    pub(crate) mod client {
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Serialize, Deserialize)]
        pub(crate) struct Part(pub(crate) String);

        #[derive(Debug, Serialize, Deserialize, shmipc::ShmMessage)]
        pub(crate) enum Drift {
            #[shm(reply = u32)]
            Ask(Part),
            Tell(Part),
        }
    }
}

#[test]
fn an_undecodable_message_is_reported_to_its_sender_and_the_link_goes_on() {
    use drifted::client::DriftClient;
    let _watchdog = Watchdog::start(60);
    let name = unique_name("drift");
    let running = Server::<drifted::server::Drift>::bind(&name)
        .unwrap()
        .serve_fn(|_cx, message| match message {
            drifted::server::Drift::Ask(part) => {
                drifted::server::DriftReply::Ask(u32::from(part.0))
            }
            drifted::server::Drift::Tell(_) => drifted::server::DriftReply::Tell,
        })
        .unwrap();
    let client = Client::<drifted::client::Drift>::connect(&name).unwrap();
    for _ in 0..3 {
        let error = client.ask(drifted::client::Part("too long for a byte".into())).unwrap_err();
        let rejected = matches!(&error, CallError::Rejected(Rejection::Undecodable(_)));
        assert!(rejected, "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotStarted);
    }
    client.tell(drifted::client::Part("nobody waits".into())).unwrap();
    client.ask(drifted::client::Part("once more".into())).unwrap_err();
    let rejections = client.take_rejections();
    assert!(
        matches!(rejections.as_slice(), [CallError::Rejected(Rejection::Undecodable(_))]),
        "{rejections:?}"
    );
    running.stop().unwrap();
}
