//! A client that does not read delays nobody, and learns what it missed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::time::Duration;

use shmipc::{
    BackPressure, CallError, Client, Context, Departure, Doorbell, Outcome, Running, SendError,
    Server,
};
use shmipc_tests::handler::Prober;
use shmipc_tests::protocol::{
    Probe, ProbeClient, ProbeEvent, ProbeEventClient, ProbeEventHandler, ProbeReply, pattern,
};
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

with_both_doorbells!(
    missed_events_are_counted_where_they_are_missing,
    a_client_that_is_too_slow_is_sent_away_if_that_is_the_policy,
    a_client_that_does_not_read_its_replies_delays_nobody,
    a_slow_handler_gives_room_back_message_by_message,
    a_request_that_was_taken_back_never_runs,
);

/// A server whose lanes and queues are full soon.
fn serve_narrow(test: &str, doorbell: Doorbell, policy: BackPressure) -> (String, Running<Probe>) {
    let name = unique_name(test);
    let server = Server::<Probe>::builder(&name)
        .doorbell(doorbell)
        .ring_size(4096)
        .max_queued(8192)
        .back_pressure(policy)
        .bind();
    let running = server.unwrap().serve(Prober::default()).unwrap();
    (name, running)
}

/// What the slow client's handler saw.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Event(u64),
    Missed(u64),
    Departed(Departure),
}

/// A client whose handler waits for a word before it handles the first event.
fn stuck_client(name: &str) -> (Client<Probe>, mpsc::Sender<()>, mpsc::Receiver<Seen>) {
    let (go, gate) = mpsc::channel::<()>();
    let (seen, log) = mpsc::channel();
    let (missed, departed) = (seen.clone(), seen.clone());
    let client = Client::<Probe>::builder(name)
        .on_event(move |event: ProbeEvent| {
            // Ends when the sender is dropped.
            let _ = gate.recv();
            if let ProbeEvent::Bytes { bytes } = event {
                let _ = seen.send(Seen::Event(bytes.len() as u64));
            }
        })
        .on_missed(move |count| {
            let _ = missed.send(Seen::Missed(count));
        })
        .on_departure(move |departure| {
            let _ = departed.send(Seen::Departed(departure.clone()));
        })
        .connect()
        .unwrap();
    (client, go, log)
}

fn missed_events_are_counted_where_they_are_missing(doorbell: Doorbell) {
    const EVENTS: u64 = 3_000;
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve_narrow("missed", doorbell, BackPressure::DropAndCount);
    let (_stuck, go, log) = stuck_client(&name);
    let other = Client::<Probe>::connect(&name).unwrap();
    for number in 0..EVENTS {
        other.broadcast(number).unwrap();
        if number % 100 == 0 {
            // Nobody else is delayed.
            assert_eq!(other.echo(vec![1]).unwrap(), [1]);
        }
    }
    other.process_id().unwrap();
    drop(go);
    let (mut next, mut missed) = (0, 0);
    while next < EVENTS {
        match log.recv_timeout(Duration::from_secs(30)).unwrap() {
            Seen::Event(number) => {
                assert_eq!(number, next, "what is missing is told at its place");
                next += 1;
            }
            Seen::Missed(count) => {
                next += count;
                missed += count;
            }
            Seen::Departed(departure) => panic!("{departure}"),
        }
    }
    assert_eq!(next, EVENTS);
    assert!(missed > 0);
}

fn a_client_that_is_too_slow_is_sent_away_if_that_is_the_policy(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve_narrow("too-slow", doorbell, BackPressure::Close);
    let (stuck, go, log) = stuck_client(&name);
    let other = Client::<Probe>::connect(&name).unwrap();
    for _ in 0..50 {
        other.broadcast(1_000).unwrap();
    }
    while other.comings().unwrap().1.is_empty() {}
    assert_eq!(other.peer_ids().unwrap(), [other.id()]);
    drop(go);
    let departure = loop {
        if let Seen::Departed(departure) = log.recv_timeout(Duration::from_secs(30)).unwrap() {
            break departure;
        }
    };
    assert_eq!(departure, Departure::TooSlow);
    let error = stuck.number(0, 0).unwrap_err();
    assert!(
        matches!(error, SendError::PeerGone { departure: Departure::TooSlow, .. }),
        "{error:?}"
    );
}

fn a_client_that_does_not_read_its_replies_delays_nobody(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, _running) = serve_narrow("replies", doorbell, BackPressure::DropAndCount);
    let slow = Client::<Probe>::builder(&name).spin(Duration::ZERO).connect().unwrap();
    let other = Client::<Probe>::connect(&name).unwrap();
    // Calls that are given up at once: their replies are left lying in the lane.
    let hasty = slow.with_deadline(Duration::from_nanos(1));
    let mut given_up = 0;
    for _ in 0..200 {
        given_up += u32::from(hasty.echo(pattern(500)).is_err());
        assert_eq!(other.echo(vec![1]).unwrap(), [1]);
    }
    assert!(given_up > 100, "{given_up}");
    // Whoever calls again takes them out of the way.
    assert_eq!(slow.echo(pattern(500)).unwrap(), pattern(500));
}

/// A server gave the room of notices back after thirty-two of them, however long each took: who
/// waited for room waited for all of those.
fn a_slow_handler_gives_room_back_message_by_message(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("slow-handler");
    let (go, gate) = mpsc::channel::<()>();
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).ring_size(1 << 16).bind();
    let handle = move |_: &Context<Probe>, _: Probe| {
        // Ends when the sender is dropped.
        let _ = gate.recv();
        ProbeReply::Bytes
    };
    let _running = server.unwrap().serve_fn(handle).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let impatient = client.with_deadline(Duration::from_millis(200));
    let full = (0..10_000).find_map(|_| impatient.bytes(vec![1]).err()).expect("a ring has an end");
    assert!(matches!(full, SendError::Deadline { .. }), "{full}");
    // Two or three handled are room for one more, which the server tells while it handles the next.
    let sender = std::thread::spawn(move || client.bytes(vec![1]));
    // A few would do; as many as were given back together were twice as many.
    for _ in 0..16 {
        std::thread::sleep(Duration::from_millis(20));
        if sender.is_finished() {
            break;
        }
        go.send(()).unwrap();
    }
    let sent = sender.join().unwrap();
    // Before the server stops, whose handler it holds.
    drop(go);
    sent.unwrap();
}

/// Handles one event at a word, and writes down which requests ran.
struct Gated {
    gate: mpsc::Receiver<()>,
    ran: mpsc::Sender<u64>,
}

impl ProbeEventHandler for Gated {
    fn number(&mut self, _cx: &Context<ProbeEvent>, _number: u64) {}

    fn bytes(&mut self, _cx: &Context<ProbeEvent>, _bytes: Vec<u8>) {
        // Ends when the sender is dropped.
        let _ = self.gate.recv();
    }

    fn double(&mut self, _cx: &Context<ProbeEvent>, value: u64) -> u64 {
        self.ran.send(value).unwrap();
        2 * value
    }
}

/// A server's request to a client that does not read stands in the server's own queue. At its
/// deadline it is taken back and reported *not started*: it must not run when the client reads
/// again.
fn a_request_that_was_taken_back_never_runs(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve_narrow("recall", doorbell, BackPressure::DropAndCount);
    let (go, gate) = mpsc::channel::<()>();
    let (ran, log) = mpsc::channel();
    let builder = Client::<Probe>::builder(&name).serve_events(Gated { gate, ran });
    let _client = builder.connect().unwrap();
    let peer = running.handle().peers().pop().unwrap();
    while peer.try_send(&ProbeEvent::Bytes { bytes: pattern(500) }).is_ok() {}
    let hasty = peer.with_deadline(Duration::from_millis(100));
    for value in 0..5 {
        let error = hasty.double(value).unwrap_err();
        let late = matches!(error, CallError::Deadline { outcome: Outcome::NotStarted, .. });
        assert!(late, "{error:?}");
    }
    drop(go);
    // Handled after everything that came before it.
    let answer = loop {
        match peer.double(77) {
            Err(CallError::NotSent(SendError::Overflow { .. })) => {}
            answer => break answer.unwrap(),
        }
    };
    assert_eq!(answer, 154);
    assert_eq!(log.try_iter().collect::<Vec<_>>(), [77]);
}
