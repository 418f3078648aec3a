//! Sleepers on a word that an attacker has mapped too: moved to a word that nobody wakes, or behind
//! a waiter for a lock on the word, where no wake-up arrives. Whoever sleeps must look again by
//! itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{CallError, Client, SendError};
use shmipc_tests::hostile::futex::{block_wake_ups, move_sleepers};
use shmipc_tests::hostile::layout::{link, registry};
use shmipc_tests::hostile::raw::Raw;
use shmipc_tests::hostile::registry::Registry;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient};
use shmipc_tests::{Watchdog, open_link_paths, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
/// How long an attack lasts.
const ATTACK: Duration = Duration::from_secs(2);
/// A wait that takes longer is one without end.
const ENDLESS: Duration = Duration::from_secs(20);

/// A server of its own process; nobody spins, so that everybody sleeps all the time.
fn serve(test: &str) -> (String, PeerProcess) {
    let name = unique_name(test);
    let mut server = PeerProcess::start(PEER, &["serve", &name, "spin=0"]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    (name, server)
}

fn client(name: &str, deadline: Duration) -> Client<Probe> {
    Client::<Probe>::builder(name).spin(Duration::ZERO).deadline(deadline).connect().unwrap()
}

/// Calls until told to stop, and once more. Tells how many calls were answered.
fn call_until(client: &Client<Probe>, stop: &AtomicBool) -> u32 {
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        client.echo(vec![1]).unwrap_or_else(|error| panic!("after {calls} calls: {error}"));
        calls += 1;
    }
    client.echo(vec![2]).unwrap_or_else(|error| panic!("afterwards: {error}"));
    calls
}

/// The listener never woke again, long after the attacker had gone; nobody could connect.
#[test]
fn a_listener_that_was_moved_serves_on() {
    let _watchdog = Watchdog::start(120);
    let (name, _server) = serve("moved-listener");
    let honest = client(&name, ENDLESS);
    let attacked = Registry::open(&name).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let calling = scope.spawn(|| call_until(&honest, &stop));
        let (started, mut moved) = (Instant::now(), 0);
        while started.elapsed() < ATTACK {
            moved += move_sleepers(attacked.raw.word32(registry::BELL)).max(0);
            thread::sleep(Duration::from_micros(100));
        }
        stop.store(true, Ordering::Relaxed);
        let calls = calling.join().unwrap();
        println!("{calls} calls, {moved} sleeps moved");
        assert!(moved > 0, "no attack");
    });
    client(&name, ENDLESS).echo(vec![3]).unwrap();
}

/// As long as somebody waits for a lock on the word, wake-ups fail.
#[test]
fn a_listener_whose_wake_ups_fail_serves_on() {
    let _watchdog = Watchdog::start(120);
    let (name, _server) = serve("blocked-listener");
    let honest = client(&name, ENDLESS / 4);
    let attacked = Registry::open(&name).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let calling = scope.spawn(|| call_until(&honest, &stop));
        thread::sleep(Duration::from_millis(50));
        block_wake_ups(attacked.raw.word32(registry::BELL), ENDLESS / 2, || {
            thread::sleep(ATTACK);
            stop.store(true, Ordering::Relaxed);
            println!("{} calls", calling.join().unwrap());
        });
    });
}

/// Moves whoever sleeps on this process's one link while `meanwhile` runs.
fn moving_all(meanwhile: impl FnOnce()) {
    let raw = Raw::open(&open_link_paths().pop().unwrap()).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for bell in 0..4 {
                    move_sleepers(raw.word32(link::BELLS + bell * link::BELL_LENGTH));
                }
                thread::sleep(Duration::from_micros(100));
            }
        });
        meanwhile();
        stop.store(true, Ordering::Relaxed);
    });
}

/// Calls of a client whose sleepers a hostile server moves. They outlived their deadlines, and the
/// server. Alone with its link in this process: the attacks above use their own clients, so that
/// the last link opened is told apart by a program of its own (`open_link_paths`).
#[test]
fn a_caller_that_was_moved_keeps_its_deadline_and_learns_of_a_death() {
    if std::env::var_os("SHMIPC_TEST_ALONE").is_none() {
        let test = "a_caller_that_was_moved_keeps_its_deadline_and_learns_of_a_death";
        let program = std::env::current_exe().unwrap();
        let mut alone = std::process::Command::new(program);
        let alone = alone.args(["--exact", test, "--nocapture"]).env("SHMIPC_TEST_ALONE", "1");
        assert!(alone.status().unwrap().success());
        return;
    }
    let _watchdog = Watchdog::start(90);
    let (name, mut server) = serve("moved-caller");
    let client = client(&name, ENDLESS);
    // Lively: each sleep ends by a ring.
    for number in 0..100 {
        assert_eq!(client.echo(vec![number]).unwrap(), [number]);
    }
    server.stop();
    let (told, ended) = mpsc::channel();
    let call = |deadline| {
        let (client, told) = (client.with_deadline(deadline), told.clone());
        thread::spawn(move || told.send(client.process_id()));
    };
    moving_all(|| {
        call(Duration::from_secs(1));
        match ended.recv_timeout(ENDLESS).expect("the call has no end").unwrap_err() {
            CallError::Deadline { .. } => {}
            other => panic!("{other:?}"),
        }
        server.go_on();
        for number in 0..3 {
            assert_eq!(client.echo(vec![number]).unwrap(), [number]);
        }
        server.stop();
        // As many waiters for room, too.
        let full = client.with_deadline(Duration::from_millis(20));
        while full.bytes(vec![0; 10_000]).is_ok() {}
        let sender = client.with_deadline(Duration::from_secs(3600));
        let sent = thread::spawn(move || sender.bytes(vec![0; 10_000]));
        call(Duration::from_secs(3600));
        thread::sleep(Duration::from_millis(300));
        server.kill();
        let answer = ended.recv_timeout(ENDLESS).expect("the death was not noticed");
        assert!(answer.unwrap_err().is_peer_gone());
        let sent = sent.join().unwrap();
        assert!(matches!(sent, Err(SendError::PeerGone { .. })), "{sent:?}");
    });
}
