//! A forked child: it may not use its parent's links, its end says nothing about its parent's, and
//! its life does not stand for its parent's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use shmipc::{Client, Departure, Server};
use shmipc_tests::guest::{Doorkeeper, Guest, Identity, IdentityClient, kill, until};
use shmipc_tests::{Watchdog, unique_name};

const GUEST: &str = env!("CARGO_BIN_EXE_guest");

#[test]
fn a_childs_use_and_end_are_not_its_parents() {
    let _watchdog = Watchdog::start(30);
    let name = unique_name("fork");
    let _running = Server::<Identity>::bind(&name).unwrap().serve(Doorkeeper::default()).unwrap();
    let client = Client::<Identity>::connect(&name).unwrap();
    let mut parent = Guest::start(GUEST, &format!("fork-client {name}")).unwrap();
    for what in ["send: ", "call: "] {
        let line = parent.line().unwrap();
        assert!(line.starts_with(what) && line.contains("forked"), "{line}");
    }
    assert_eq!(parent.line().unwrap(), "connected: false");
    assert_eq!(parent.line().unwrap(), "own: true");
    let line = parent.line().unwrap();
    assert!(line.starts_with("child ended: Exited(") && line.ends_with(", 0)"), "{line}");
    // The child's own link said goodbye; the parent's did not, and is as it was.
    assert_eq!(parent.line().unwrap(), r#"parent: (2, 2, ["it closed the link"])"#);

    // The second child lives on when its parent is killed.
    let child: u32 = parent.line().unwrap().parse().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    parent.process().kill();
    until(|| client.seen().unwrap().1 == 1);
    let (_, _, departures) = client.seen().unwrap();
    assert!(departures[1].contains("without a goodbye"), "{departures:?}");
    assert!(std::fs::exists(format!("/proc/{child}/fd")).unwrap(), "the child was to live");
    kill(child);
}

#[test]
fn a_servers_child_neither_stops_it_nor_keeps_it_alive() {
    let _watchdog = Watchdog::start(30);
    let name = unique_name("fork-server");
    let mut parent = Guest::start(GUEST, &format!("fork-server {name}")).unwrap();
    assert_eq!(parent.line().unwrap(), "ready");
    let (told, departed) = std::sync::mpsc::channel();
    let client = Client::<Identity>::builder(&name)
        .on_departure(move |departure| told.send(departure.clone()).unwrap())
        .connect()
        .unwrap();
    parent.process().say("fork").unwrap();
    let (first, second) = (parent.line().unwrap(), parent.line().unwrap());
    let said = |line: &str| {
        line.starts_with("0 Some(Err(") && line.contains("forked") && line.ends_with(" true")
    };
    assert!(said(&first) || said(&second), "{first} / {second}");
    let child: u32 = first.parse().or_else(|_| second.parse()).unwrap();
    // The child is through with its copies, and the server is as it was.
    assert_eq!(client.seen().unwrap().1, 1);
    assert_eq!(Client::<Identity>::connect(&name).unwrap().who().unwrap().pid, std::process::id());
    parent.process().kill();
    assert_eq!(departed.recv().unwrap(), Departure::Died);
    assert!(std::fs::exists(format!("/proc/{child}/fd")).unwrap(), "the child was to live");
    drop(Server::<Identity>::bind(&name).unwrap());
    drop(Server::<Identity>::bind(&format!("{name}-unused")).unwrap());
    kill(child);
}

/// The child of a handler that comes out of it is the listener's thread, alone. It is to end
/// without a word: the links, their departures and the answer are its parent's, and so are the
/// locks that another thread held at the fork.
#[test]
fn a_child_that_comes_out_of_a_handler_ends_without_a_word() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("fork-handler");
    let mut parent = Guest::start(GUEST, &format!("fork-in-handler {name}")).unwrap();
    assert_eq!(parent.line().unwrap(), "ready");
    let client = Client::<Identity>::connect(&name).unwrap();
    // Another link, which the child must not touch either.
    let other = Client::<Identity>::connect(&name).unwrap();
    for _ in 0..40 {
        other.note().unwrap();
        assert_eq!(client.who().unwrap().pid, std::process::id());
        let line = parent.line().unwrap();
        assert!(line.starts_with("child: Ok(Exited(") && line.ends_with(", 0))"), "{line}");
    }
    let (notes, links, _) = client.seen().unwrap();
    assert!(notes <= 40 && links == 2, "{notes} {links}");
    drop(client);
    assert_eq!(parent.line().unwrap(), "departed: it closed the link");
    drop(other);
    assert!(parent.end().unwrap());
}

/// The thread that waits for deaths stayed with the parent: the child has one of its own. Without
/// it the notice takes up to a second; the best of a few rounds tells.
#[test]
fn a_childs_own_link_learns_of_a_death_at_once() {
    let _watchdog = Watchdog::start(30);
    let notices: Vec<Duration> = (0..3)
        .map(|_| {
            let name = unique_name("fork-stay");
            let mut server = Guest::start(GUEST, &format!("serve {name}")).unwrap();
            assert_eq!(server.line().unwrap(), "ready");
            let mut child = Guest::start(GUEST, &format!("fork-stay {name}")).unwrap();
            assert!(child.line().unwrap().starts_with("linked"));
            std::thread::sleep(Duration::from_millis(150));
            let killed = Instant::now();
            server.process().kill();
            assert!(child.line().unwrap().contains("without a goodbye"));
            killed.elapsed()
        })
        .collect();
    println!("noticed after {notices:?}");
    assert!(notices.iter().min().unwrap() < &Duration::from_millis(100), "{notices:?}");
}

#[test]
fn a_program_that_a_client_executes_inherits_nothing() {
    let _watchdog = Watchdog::start(30);
    let name = unique_name("exec");
    let _running = Server::<Identity>::bind(&name).unwrap().serve(Doorkeeper::default()).unwrap();
    let client = Client::<Identity>::connect(&name).unwrap();
    let mut parent = Guest::start(GUEST, &format!("exec {name}")).unwrap();
    let child: u32 = parent.line().unwrap().parse().unwrap();
    let open: Vec<_> = std::fs::read_dir(format!("/proc/{child}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    assert!(!open.is_empty() && open.iter().all(|path| !path.contains("shmipc")), "{open:?}");
    assert!(
        open.iter().all(|path| !path.contains("eventfd") && !path.contains("pidfd")),
        "{open:?}"
    );
    assert_eq!(client.seen().unwrap().1, 2);
    parent.process().kill();
    until(|| client.seen().unwrap().1 == 1);
    kill(child);
}

/// Calls of such a child once gave values that were the parent's, as `Ok`, and the parent's death
/// was hidden for as long as the child lived.
#[test]
fn a_child_that_the_c_library_did_not_prepare_is_refused_and_hides_no_death() {
    let _watchdog = Watchdog::start(60);
    for made_by in ["_Fork", "clone"] {
        let name = unique_name("unseen");
        let handler = Doorkeeper::default();
        let _running = Server::<Identity>::bind(&name).unwrap().serve(handler).unwrap();
        let client = Client::<Identity>::connect(&name).unwrap();
        let mut parent = Guest::start(GUEST, &format!("unseen-child {name} {made_by}")).unwrap();
        for what in ["send: ", "call: "] {
            let line = parent.line().unwrap();
            assert!(line.starts_with(what) && line.contains("forked"), "{line}");
        }
        assert_eq!(parent.line().unwrap(), "connected: false");
        assert_eq!(parent.line().unwrap(), "own: Ok(true)");
        let line = parent.line().unwrap();
        assert!(line.starts_with("child ended: Exited(") && line.ends_with(", 0)"), "{line}");
        assert_eq!(parent.line().unwrap(), "parent: true");
        let child: u32 = parent.line().unwrap().parse().unwrap();
        parent.process().kill();
        until(|| client.seen().unwrap().1 == 1);
        let (_, _, departures) = client.seen().unwrap();
        assert!(departures.iter().any(|how| how.contains("without a goodbye")), "{departures:?}");
        assert!(std::fs::exists(format!("/proc/{child}/fd")).unwrap(), "the child was to live");
        kill(child);
    }
}
