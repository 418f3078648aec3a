//! What hostile peers once could do, one test for each fault that `hostile-run` or its making
//! found. The server runs as a process of its own, so that its memory can be watched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{Client, ConnectError, Server};
use shmipc_tests::hostile::attacker::{mark, session_rng};
use shmipc_tests::hostile::attacks::{ATTACKS, Session, Verdict};
use shmipc_tests::hostile::lane::Frame;
use shmipc_tests::hostile::layout::{Lane, kind, link, registry};
use shmipc_tests::hostile::lies;
use shmipc_tests::hostile::link::{Handed, Link, PATIENCE, Plan};
use shmipc_tests::hostile::protocol::{Rich, RichClient};
use shmipc_tests::hostile::registry::{Registry, path as registry_path};
use shmipc_tests::hostile::report::Holdings;
use shmipc_tests::hostile::serve::{Keeper, MAX_MESSAGE};
use shmipc_tests::process::PeerProcess;
use shmipc_tests::{Watchdog, unique_name};

const HOSTILE_RUN: &str = env!("CARGO_BIN_EXE_hostile-run");

fn serve(test: &str) -> (String, PeerProcess, Registry) {
    let name = unique_name(test);
    let mut server = PeerProcess::start(HOSTILE_RUN, &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let registry = Registry::open(&name).unwrap();
    (name, server, registry)
}

/// One attack, so many times, while an honest client calls; every call must succeed.
/// Gives what each came to.
fn attack(test: &str, kind: &str, times: u64) -> Vec<Verdict> {
    let (name, _server, registry) = serve(test);
    let client = Client::<Rich>::connect(&name).unwrap();
    let (_, _, run) = ATTACKS.iter().find(|(known, _, _)| *known == kind).unwrap();
    let over = AtomicBool::new(false);
    let verdicts = thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let mut calls = 0;
            while !over.load(Ordering::Relaxed) {
                client.next(calls).unwrap();
                calls += 1;
            }
            calls
        });
        let mut verdicts = Vec::new();
        for number in 0..times {
            let rng = session_rng(5, number);
            let mut session = Session { server: &registry, name: &name, mark: mark(&name), rng };
            let verdict = run(&mut session);
            if verdict.is_err() {
                over.store(true, Ordering::Relaxed);
            }
            verdicts.push(verdict.unwrap_or_else(|error| panic!("session {number}: {error}")));
        }
        over.store(true, Ordering::Relaxed);
        assert!(calls.join().unwrap() > 0);
        verdicts
    });
    Client::<Rich>::connect(&name).unwrap().next(0).unwrap();
    verdicts
}

/// The link's name was opened a second time to map it, and that open waited for whoever held a
/// lease on what the name led to by then; everything else that connects, drops or forks waited for
/// it too.
#[test]
fn a_name_that_is_swapped_at_the_right_moment_keeps_nobody() {
    let _watchdog = Watchdog::start(120);
    let verdicts = attack("swapped", "a name swapped for a leased file", 12);
    let refused = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Refused)).count();
    assert!(refused > 0, "no offer met the other name: {verdicts:?}");
}

/// The server reserved what the client had not.
#[test]
fn links_without_memory_are_refused() {
    let _watchdog = Watchdog::start(120);
    attack("sparse", "links without memory", 3);
}

fn linked(registry: &Registry, plan: Plan) -> Link {
    let id = u128::from(fastrand::u64(..)) << 64 | 7;
    match Link::hand_over(registry, id, plan, |_| {}) {
        Handed::Linked(link) => link,
        other => panic!("{other:?}"),
    }
}

/// Damage in the lane of replies was found by whoever called next, and so by nobody where the
/// server never calls.
#[test]
fn damage_among_replies_is_told_though_nobody_calls() {
    let _watchdog = Watchdog::start(60);
    let (_, _server, registry) = serve("bad-reply");
    let link = linked(&registry, Plan::rings(4096));
    let mut frame = Frame::new(kind::REPLY, 1, vec![1, 2, 3]);
    frame.damage = 1;
    link.put_first(Lane::RepliesToServer, &frame);
    assert_eq!(link.wait_for_goodbye(&registry, PATIENCE), link::VIOLATION);
}

/// After the peer's goodbye its requests still run, and the replies that nobody would ever read
/// were queued without bound: two gigabytes here.
#[test]
fn replies_after_a_goodbye_are_not_kept() {
    let _watchdog = Watchdog::start(120);
    let (name, server, registry) = serve("bomb");
    let plan = Plan { message_ring: 256 << 10, ..Plan::rings(4096) };
    let link = linked(&registry, plan);
    let before = Holdings::of(server.pid()).private_kib;
    // All of them are there before the listener looks.
    server.stop();
    let mut writer = link.writer(Lane::MessagesToServer);
    let fill = |id| Frame::new(kind::REQUEST, id, lies::fill(MAX_MESSAGE as u64));
    let sent = (1..2_000).filter(|id| writer.put(&fill(*id), Duration::ZERO)).count();
    assert!(sent > 1_000, "only {sent} requests fit");
    link.raw.set32(link::CLIENT_GOODBYE, 1);
    link.kick(&registry);
    server.go_on();
    let client = Client::<Rich>::builder(&name).connect_deadline(PATIENCE).connect().unwrap();
    let mut peak = 0;
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(500) {
        client.next(0).unwrap();
        peak = peak.max(Holdings::of(server.pid()).private_kib);
    }
    assert!(peak < before + (24 << 10), "{peak} KiB, {before} before");
}

/// Those who send large messages without pause, in both lanes, got turns of gigabytes; the others
/// waited for seconds.
#[test]
fn who_sends_without_pause_does_not_keep_others_waiting() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("hog");
    let server = Server::<Rich>::builder(&name).bind().unwrap();
    let _running = server.serve(Keeper::default()).unwrap();
    let registry = Registry::open(&name).unwrap();
    let client = Client::<Rich>::builder(&name).deadline(Duration::from_secs(1)).connect().unwrap();
    let plan = Plan { max_message: 64 << 20, ..Plan::rings(8 << 20) };
    let links: Vec<Link> = (0..4).map(|_| linked(&registry, plan)).collect();
    for link in &links {
        link.fill_lane(Lane::MessagesToServer, kind::NOTICE);
        link.fill_lane(Lane::RepliesToServer, kind::REPLY);
        link.kick(&registry);
    }
    let started = Instant::now();
    let (mut number, mut slowest) = (0, Duration::ZERO);
    // Several of the listener's slow rounds.
    while started.elapsed() < Duration::from_secs(4) {
        let called = Instant::now();
        client.next(number).unwrap_or_else(|error| panic!("call {number}: {error}"));
        slowest = slowest.max(called.elapsed());
        number += 1;
    }
    assert!(links.iter().all(|link| link.goodbye() == 0), "the senders were sent away");
    println!("the slowest call took {slowest:?}");
}

/// A peer of the same user can write into the registry; what it did there stayed for good, and
/// nobody could connect any more.
#[test]
fn a_registry_that_was_scribbled_on_is_mended() {
    let _watchdog = Watchdog::start(60);
    let (name, _server, registry) = serve("mended");
    let honest = registry.raw.read(0, 80);
    let length = registry.raw.get32(registry::SCHEMA_LENGTH) as usize;
    let schema = registry.raw.read(registry::SCHEMA, length);
    registry.raw.write(0, &[0xAB; 80]);
    registry.raw.write(registry::SCHEMA, &vec![0xAB; length]);
    let mended = || {
        registry.raw.read(0, 80) == honest && registry.raw.read(registry::SCHEMA, length) == schema
    };
    while !mended() {
        thread::sleep(Duration::from_millis(10));
    }
    Client::<Rich>::connect(&name).unwrap().next(0).unwrap();
}

/// The length of the schema came from the registry and was allocated and copied as it stood: up to
/// four gigabytes.
#[test]
fn a_schema_longer_than_any_is_refused_unread() {
    let _watchdog = Watchdog::start(60);
    let (real, _server, real_registry) = serve("schema");
    let honest = fs::read(registry_path(&real)).unwrap();
    drop(real_registry);
    let name = unique_name("schema");
    fs::write(registry_path(&name), &honest).unwrap();
    fs::set_permissions(registry_path(&name), fs::Permissions::from_mode(0o600)).unwrap();
    let long = (4_u64 << 20) + honest.len() as u64;
    let file = fs::OpenOptions::new().write(true).open(registry_path(&name)).unwrap();
    file.set_len(long).unwrap();
    let forged = Registry::open(&name).unwrap();
    assert!(forged.raw.lock(registry::SERVER_BYTE));
    forged.raw.set64(registry::LENGTH, long);
    forged.raw.set32(registry::SCHEMA_LENGTH, 4 << 20);
    let error = Client::<Rich>::connect(&name).unwrap_err();
    fs::remove_file(registry_path(&name)).unwrap();
    match &error {
        ConnectError::Damaged { what, .. } if what.contains("4194304 bytes, at most") => {}
        other => panic!("{other:?}"),
    }
}

/// What the server says of its rings stands where its other clients can write: a client reserved up
/// to four gigabytes.
#[test]
fn a_client_reserves_no_more_than_it_allows() {
    let _watchdog = Watchdog::start(60);
    let (real, _server, real_registry) = serve("greed");
    let honest = fs::read(registry_path(&real)).unwrap();
    drop(real_registry);
    let name = unique_name("greed");
    fs::write(registry_path(&name), &honest).unwrap();
    fs::set_permissions(registry_path(&name), fs::Permissions::from_mode(0o600)).unwrap();
    let forged = Registry::open(&name).unwrap();
    assert!(forged.raw.lock(registry::SERVER_BYTE));
    forged.raw.set64(registry::MESSAGE_RING, 1 << 30);
    let deadline = Duration::from_millis(300);
    let builder = || Client::<Rich>::builder(&name).connect_deadline(deadline);
    match builder().connect().unwrap_err() {
        ConnectError::LinkMemory { needed, maximum, .. } => {
            assert_eq!((needed >= 2 << 30, maximum), (true, 64 << 20));
        }
        other => panic!("{other:?}"),
    }
    // Who asks for rings of its own gets no further here, as nobody answers.
    let error = builder().ring_size(4096).connect().unwrap_err();
    assert!(matches!(error, ConnectError::NotAnswering { .. }), "{error:?}");
    fs::remove_file(registry_path(&name)).unwrap();
}

/// A file that everybody may write is no registry of this library's, whoever owns it.
#[test]
fn a_registry_that_everybody_may_write_is_refused() {
    let _watchdog = Watchdog::start(60);
    let (name, _server, _registry) = serve("everybody");
    fs::set_permissions(registry_path(&name), fs::Permissions::from_mode(0o666)).unwrap();
    let error = Client::<Rich>::connect(&name).unwrap_err();
    assert!(error.to_string().contains("everybody may write it"), "{error}");
    fs::set_permissions(registry_path(&name), fs::Permissions::from_mode(0o600)).unwrap();
    Client::<Rich>::connect(&name).unwrap().next(0).unwrap();
}
