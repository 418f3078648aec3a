//! Faults that were there once, each found by a review or by another test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::thread;
use std::time::Duration;

use shmipc::{CallError, Client, Departure, Outcome, SendError, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::hostile::layout::registry;
use shmipc_tests::hostile::registry::Registry;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};
use shmipc_tests::{Watchdog, segment_names, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");

/// Whether `Slow` with this ticket ran, and the outcome that its caller was told, are at odds.
fn ran(count_file: &std::path::Path, ticket: u64) -> bool {
    let tickets = fs::read_to_string(count_file).unwrap_or_default();
    tickets.lines().any(|line| line.parse() == Ok(ticket))
}

/// The server drains what was sent before a goodbye: closing here is no proof that it did not run.
#[test]
fn closing_here_does_not_claim_that_a_waiting_request_never_ran() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("close-here");
    let count_file = std::env::temp_dir().join(&name);
    let handler = Prober::counting(count_file.clone());
    let running = Server::<Probe>::bind(&name).unwrap().serve(handler).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let call = |ticket| {
        let client = client.clone();
        thread::spawn(move || client.slow(300, ticket))
    };
    let first = call(1);
    thread::sleep(Duration::from_millis(50));
    let second = call(2);
    thread::sleep(Duration::from_millis(50));
    client.close();
    let outcomes = [first, second].map(|call| call.join().unwrap().unwrap_err().outcome());
    running.handle().stop();
    running.join().unwrap();
    for (ticket, outcome) in [1, 2].into_iter().zip(outcomes) {
        let not_started = outcome == Outcome::NotStarted;
        assert!(!(not_started && ran(&count_file, ticket)), "{ticket}: {outcome:?}");
    }
    let _ = fs::remove_file(count_file);
}

/// A listener in the middle of a batch once went on with it after its side had closed the link.
#[test]
fn a_side_that_closed_a_link_runs_nothing_more_of_it() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("peer-close");
    let count_file = std::env::temp_dir().join(&name);
    let handler = Prober::counting(count_file.clone());
    let running = Server::<Probe>::bind(&name).unwrap().serve(handler).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let observer = Client::<Probe>::connect(&name).unwrap();
    let closing = {
        let client = client.clone();
        thread::spawn(move || client.close_caller(200))
    };
    thread::sleep(Duration::from_millis(50));
    let error = client.slow(0, 7).unwrap_err();
    assert!(matches!(error, CallError::PeerGone { departure: Departure::Closed, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStarted);
    assert_eq!(closing.join().unwrap().unwrap_err().outcome(), Outcome::MayHaveRun);
    // Answered after the batch in whose middle the link was closed.
    observer.process_id().unwrap();
    assert!(!ran(&count_file, 7));
    running.stop().unwrap();
    let _ = fs::remove_file(count_file);
}

/// A large reply that nobody waited for any more once kept the server from taking anything else of
/// this client, and the client from sending what would have made it read the reply.
#[test]
fn a_large_late_reply_does_not_wedge_its_client() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("wedge");
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    let hasty = Client::<Probe>::builder(&name).spin(Duration::ZERO).connect().unwrap();
    for _ in 0..3 {
        let error = hasty.with_deadline(Duration::from_micros(1)).fill(9 << 20).unwrap_err();
        assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
    }
    for number in 0..50_000 {
        hasty.number(0, number).unwrap();
    }
    assert_eq!(hasty.numbers().unwrap(), (50_000, 0));
    assert_eq!(client.echo(vec![1]).unwrap(), [1]);
}

/// The answer of a slot's last user was once taken for one's own; and several servers that bind one
/// name at once once got errors, or each other's files.
#[test]
fn many_bind_and_connect_at_once() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("at-once");
    for _ in 0..200 {
        let binders: Vec<_> = (0..4)
            .map(|_| {
                let name = name.clone();
                thread::spawn(move || {
                    let server = match Server::<Probe>::bind(&name) {
                        Ok(server) => server,
                        Err(shmipc::BindError::AlreadyServed { .. }) => return None,
                        Err(error) => panic!("{error:?}"),
                    };
                    Some(server.serve(Prober::default()).unwrap())
                })
            })
            .collect();
        let connecting: Vec<_> = (0..2)
            .map(|_| {
                let name = name.clone();
                thread::spawn(move || {
                    // Several servers may come and go meanwhile, but there is one in the end.
                    let client = Client::<Probe>::connect(&name).unwrap();
                    assert_eq!(client.echo(vec![3]).unwrap(), [3]);
                })
            })
            .collect();
        let running: Vec<_> =
            binders.into_iter().filter_map(|binder| binder.join().unwrap()).collect();
        assert_eq!(running.len(), 1);
        connecting.into_iter().for_each(|client| client.join().unwrap());
    }
}

/// A spin budget once stretched the deadline.
#[test]
fn a_long_spin_does_not_stretch_a_deadline() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("spin");
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let client = Client::<Probe>::builder(&name)
        .spin(Duration::from_secs(1))
        .deadline(Duration::from_millis(20))
        .connect()
        .unwrap();
    // The handler answers before the spin budget is used up.
    let error = client.slow(500, 1).unwrap_err();
    assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
}

/// A message that is too large once left the lane locked for good.
#[test]
fn a_message_that_is_too_large_leaves_the_lane_usable() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("locked");
    let server = Server::<Probe>::builder(&name).max_message(1000).bind().unwrap();
    let _running = server.serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    for _ in 0..3 {
        let error = client.send(&Probe::Bytes { bytes: pattern(2000) }).unwrap_err();
        assert!(matches!(error, SendError::TooLarge { .. }), "{error:?}");
        assert_eq!(client.echo(vec![1]).unwrap(), [1]);
    }
}

/// The answer to a call that was given up once kept later notices from being handled, until the
/// client happened to call again.
#[test]
fn a_notice_behind_a_call_that_was_given_up_is_handled() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("given-up");
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let client = Client::<Probe>::builder(&name).spin(Duration::ZERO).connect().unwrap();
    let observer = Client::<Probe>::connect(&name).unwrap();
    let hasty = client.with_deadline(Duration::from_micros(1));
    for _ in 0..2 {
        let error = hasty.fill(9 << 20).unwrap_err();
        assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
    }
    client.broadcast(0).unwrap();
    client.stop().unwrap();
    // `Stop` is handled after both answers; whoever looks on learns that it was.
    while observer.process_id().is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A death was once noticed only when the listener had nothing else to do.
#[test]
fn a_death_is_noticed_by_a_busy_server() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("busy");
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let flooding = Client::<Probe>::connect(&name).unwrap();
    let observer = Client::<Probe>::builder(&name).deadline(Duration::from_secs(30)).connect();
    let observer = observer.unwrap();
    let mut victim =
        shmipc_tests::process::PeerProcess::start(env!("CARGO_BIN_EXE_peer"), &["idle", &name])
            .unwrap();
    assert_eq!(victim.line().unwrap(), "idle");
    // Requests of a millisecond each that nobody waits for: five busy seconds at least.
    let mut floods = 0;
    while floods < 5_000 {
        flooding.send(&Probe::Slow { millis: 1, ticket: 0 }).unwrap();
        floods += 1;
    }
    victim.kill();
    // Each look waits for a batch of the flood, which has a hundred and fifty: it is far from over.
    let noticed = (0..50).any(|_| !observer.comings().unwrap().1.is_empty());
    assert!(noticed, "the death was not noticed");
}

/// Servers that came and went once made `connect` fail for good instead of looking again.
#[test]
fn connecting_while_servers_come_and_go() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("come-and-go");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (name, stop) = (name.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let client = Client::<Probe>::connect(&name).unwrap();
                    let _ = client.echo(vec![1]);
                }
            })
        })
        .collect();
    for _ in 0..300 {
        let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
        thread::sleep(Duration::from_millis(2));
        running.stop().unwrap();
    }
    let last = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    drop(last);
}

/// Stopping once went on with up to a batch of messages.
#[test]
fn stopping_waits_for_one_handler_and_no_more() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("stopping");
    let count_file = std::env::temp_dir().join(&name);
    let handler = Prober::counting(count_file.clone());
    let running = Server::<Probe>::bind(&name).unwrap().serve(handler).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    for ticket in 0..20 {
        client.send(&Probe::Slow { millis: 200, ticket }).unwrap();
    }
    while !ran(&count_file, 0) {
        thread::sleep(Duration::from_millis(1));
    }
    running.stop().unwrap();
    assert!(!ran(&count_file, 2), "the first was running, the second may have begun");
    let _ = fs::remove_file(count_file);
}

struct Deaf;

impl shmipc_tests::protocol::ProbeEventHandler for Deaf {
    fn number(&mut self, _cx: &shmipc::Context<ProbeEvent>, _number: u64) {}
    fn bytes(&mut self, _cx: &shmipc::Context<ProbeEvent>, _bytes: Vec<u8>) {}
    fn double(&mut self, _cx: &shmipc::Context<ProbeEvent>, value: u64) -> u64 {
        value
    }
}

/// A closure for departures was once forgotten beside a handler of events; and alone it once made
/// the client count as one that wants events.
#[test]
fn departures_are_told_with_and_without_a_handler() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("departures");
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let (told, departures) = std::sync::mpsc::channel();
    let also_told = told.clone();
    let _handles = Client::<Probe>::builder(&name)
        .on_departure(move |departure| told.send(departure.clone()).unwrap())
        .serve_events(Deaf)
        .connect()
        .unwrap();
    let _only_told = Client::<Probe>::builder(&name)
        .on_departure(move |departure| also_told.send(departure.clone()).unwrap())
        .connect()
        .unwrap();
    let delivered = running.handle().broadcast(&ProbeEvent::Number { number: 1 }).delivered;
    assert_eq!(delivered, 1);
    running.stop().unwrap();
    for _ in 0..2 {
        let departure = departures.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(departure, Departure::ServerStopped);
    }
}

/// Whoever cleans up after a dead server holds its lock for a moment. If it was stopped in that
/// moment, `bind` said that the name was served.
#[test]
fn a_cleaner_that_is_stopped_is_no_server() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("cleaner");
    let mut server = PeerProcess::start(env!("CARGO_BIN_EXE_peer"), &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    server.kill();
    let registry = Registry::open(&name).unwrap();
    assert!(registry.raw.lock(registry::CLEANER_BYTE) && registry.raw.lock(registry::SERVER_BYTE));
    let released = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        drop(registry);
    });
    drop(Server::<Probe>::bind(&name).unwrap());
    released.join().unwrap();
}

/// What a killed server left was said to go with the next bind of any name. That holds from the
/// first moment on where it had bound its name to the end, and not only once the file is ten
/// seconds old.
#[test]
fn a_killed_servers_file_goes_with_the_next_bind_of_any_name() {
    let _watchdog = Watchdog::start(60);
    let [dead, other] = ["fresh", "any"].map(unique_name);
    let file = format!("shmipc.r.{dead}");
    let mut server = PeerProcess::start(PEER, &["serve", &dead]).unwrap();
    server.line().unwrap();
    assert!(segment_names().contains(&file), "there is nothing to remove");
    server.kill();
    // Or that of another test just now, which is any name, too.
    let _bound = Server::<Probe>::bind(&other).unwrap();
    // Where there are many names a thread goes on with them.
    while segment_names().contains(&file) {
        thread::sleep(Duration::from_millis(1));
    }
}
