//! A storm of caught signals on every thread that may sleep: no wait ends early or late, and none
//! of it is an error. Alone in its program: the handler is the whole process's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use shmipc::{CallError, Client, ConnectError, Doorbell, SendError, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, ProbeEventClient, pattern};
use shmipc_tests::{Watchdog, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const DEADLINE: Duration = Duration::from_millis(400);
/// Later than its deadline by so much at most; other programs have the processors too.
const SLACK: Duration = Duration::from_secs(3);

static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn catch(_: libc::c_int) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
}

/// Threads that are to be hit.
#[derive(Debug, Default, Clone)]
struct Targets(Arc<Mutex<Vec<libc::pthread_t>>>);

impl Targets {
    /// Adds the calling thread, which must not end before the storm does.
    fn add(&self) {
        let mut storm = SigSet::empty();
        storm.add(Signal::SIGUSR1);
        storm.thread_unblock().unwrap();
        // SAFETY: takes nothing.
        self.0.lock().unwrap().push(unsafe { libc::pthread_self() });
    }

    /// The library's threads too; they block signals unless told otherwise.
    fn hook(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let targets = self.clone();
        // These two live as long as their endpoints, which live as long as the storm.
        move |name| {
            if matches!(name, "shmipc-listener" | "shmipc-events") {
                targets.add();
            }
        }
    }

    /// From here on none of them is hit any more, and they may end.
    fn spare(&self) {
        self.0.lock().unwrap().clear();
    }

    fn hit(&self) {
        for thread in self.0.lock().unwrap().iter() {
            // SAFETY: threads that are there until the storm is over.
            unsafe { libc::pthread_kill(*thread, libc::SIGUSR1) };
        }
    }
}

/// Ends after `expected`, and neither before nor much later.
fn timed<T>(what: &str, expected: Duration, wait: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = wait();
    let took = started.elapsed();
    assert!(took >= expected, "{what} ended early: {took:?}");
    assert!(took < expected + SLACK, "{what} ended late: {took:?}");
    result
}

fn stormy(doorbell: Doorbell, flags: SaFlags) {
    let action = SigAction::new(SigHandler::Handler(catch), flags, SigSet::empty());
    // SAFETY: the handler adds to an atomic.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let (targets, over) = (Targets::default(), AtomicBool::new(false));
    let before = CAUGHT.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let (for_work, over, targets) = (targets.clone(), &over, &targets);
        let work = scope.spawn(move || {
            for_work.add();
            work(doorbell, &for_work, over);
        });
        while !work.is_finished() && !over.load(Ordering::Relaxed) {
            targets.hit();
            thread::sleep(Duration::from_micros(200));
        }
        work.join().unwrap();
    });
    let caught = CAUGHT.load(Ordering::Relaxed) - before;
    println!("{doorbell:?} {flags:?}: {caught} signals caught");
    assert!(caught > 1_000, "no storm: {caught} signals");
}

/// Everything that waits, in the storm.
fn work(doorbell: Doorbell, targets: &Targets, over: &AtomicBool) {
    let name = unique_name("storm");
    let builder = Server::<Probe>::builder(&name).doorbell(doorbell).spin(Duration::ZERO);
    let server = builder.on_thread(targets.hook()).deadline(DEADLINE).bind().unwrap();
    let running = server.serve(Prober::default()).unwrap();
    let client = Client::<Probe>::builder(&name)
        .spin(Duration::ZERO)
        .deadline(Duration::from_secs(30))
        .on_thread(targets.hook())
        .serve_events_fn(|_cx, event| match event {
            ProbeEvent::Double { value } => {
                shmipc_tests::protocol::ProbeEventReply::Double(2 * value)
            }
            _ => shmipc_tests::protocol::ProbeEventReply::Number,
        })
        .connect()
        .unwrap();
    for round in 0..300 {
        assert_eq!(client.echo(vec![round as u8; 100]).unwrap().len(), 100);
        client.number(0, round).unwrap();
    }
    assert_eq!(client.numbers().unwrap(), (300, 0));
    // Larger than the ring, both ways; and the server's own calls.
    let large = pattern(3 << 20);
    assert_eq!(client.echo(large.clone()).unwrap(), large);
    assert_eq!(client.ask_back(21).unwrap(), 42);
    assert_eq!(running.handle().peers()[0].double(4).unwrap(), 8);
    timed("a reply", Duration::from_millis(200), || client.slow(200, 1)).unwrap();
    let hasty = client.with_deadline(DEADLINE);
    match timed("a call", DEADLINE, || hasty.slow(900, 2)).unwrap_err() {
        CallError::Deadline { .. } => {}
        other => panic!("{other:?}"),
    }
    let kind = if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" };
    stopped(kind);
    // The listeners end with their endpoints: not in the storm.
    over.store(true, Ordering::Relaxed);
    targets.spare();
    drop(client);
    running.stop().unwrap();
}

/// Waits for a server that does not run.
fn stopped(kind: &str) {
    let name = unique_name("storm-stopped");
    let mut server = PeerProcess::start(PEER, &["serve", &name, kind, "ring=4096"]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let client = Client::<Probe>::builder(&name).deadline(DEADLINE).connect().unwrap();
    server.stop();
    match timed("a call of a stopped server", DEADLINE, || client.process_id()).unwrap_err() {
        CallError::Deadline { .. } => {}
        other => panic!("{other:?}"),
    }
    let large = pattern(1 << 20);
    match timed("a send without room", DEADLINE, || client.bytes(large)).unwrap_err() {
        SendError::Deadline { .. } => {}
        other => panic!("{other:?}"),
    }
    let connect = || Client::<Probe>::builder(&name).connect_deadline(DEADLINE).connect();
    match timed("a connect", DEADLINE, connect).unwrap_err() {
        ConnectError::NotAnswering { .. } => {}
        other => panic!("{other:?}"),
    }
    let absent = unique_name("storm-absent");
    let connect = || Client::<Probe>::builder(&absent).connect_deadline(DEADLINE).connect();
    match timed("a connect to nobody", DEADLINE, connect).unwrap_err() {
        ConnectError::NoServer { .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_wait_ends_early_or_late_in_a_storm_of_signals() {
    let _watchdog = Watchdog::start(180);
    for doorbell in [Doorbell::Futex, Doorbell::Event] {
        stormy(doorbell, SaFlags::empty());
        stormy(doorbell, SaFlags::SA_RESTART);
    }
}
