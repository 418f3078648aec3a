//! A pid is not a name: peers in different pid namespaces, and a pid that another process has now.
//! Each test needs root, and says so where it is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use shmipc::{Client, Departure, Server};
use shmipc_tests::guest::{
    Doorkeeper, Guest, Identity, IdentityClient, is_root_or_skipped, kill, until,
};
use shmipc_tests::{Watchdog, is_deep, unique_name};

const GUEST: &str = env!("CARGO_BIN_EXE_guest");
/// Deaths that are measured in each test.
const ROUNDS: u32 = 5;

/// A death is promised to be noticed within 100 ms. On a machine that others use too the best of a
/// few rounds tells: without the promise's means it is nearer to a second each time. The deep form
/// asks for most of them.
fn check_notices(what: &str, mut notices: Vec<Duration>) {
    notices.sort();
    println!("{what}: noticed after {notices:?}");
    let judged = if is_deep() { notices.len() * 3 / 4 } else { 0 };
    assert!(notices[judged] < Duration::from_millis(100), "{what}: {notices:?}");
}

fn server_here(name: &str) -> (shmipc::Running<Identity>, Client<Identity>) {
    let running = Server::<Identity>::bind(name).unwrap().serve(Doorkeeper::default()).unwrap();
    (running, Client::<Identity>::connect(name).unwrap())
}

#[test]
fn a_server_in_an_inner_namespace() {
    if !is_root_or_skipped("a_server_in_an_inner_namespace") {
        return;
    }
    let _watchdog = Watchdog::start(120);
    let name = unique_name("inner-server");
    let notices = (0..ROUNDS).map(|_| {
        let mut server = Guest::start_apart(&format!("exec {GUEST} serve {name}")).unwrap();
        assert_eq!(server.line().unwrap(), "ready");
        let (told, departed) = mpsc::channel();
        let client = Client::<Identity>::builder(&name)
            .on_departure(move |departure| told.send((departure.clone(), Instant::now())).unwrap())
            .connect()
            .unwrap();
        client.who().unwrap();
        let inner = server.inner_pid().unwrap();
        // There it is number one; here it is what the kernel says.
        assert_eq!(client.server_pid(), inner);
        assert!(Server::<Identity>::bind(&name).is_err());
        let killed = Instant::now();
        kill(inner);
        let (departure, noticed) = departed.recv().unwrap();
        assert_eq!(departure, Departure::Died);
        noticed - killed
    });
    check_notices("a server in an inner namespace", notices.collect());
}

#[test]
fn a_client_in_an_inner_namespace() {
    if !is_root_or_skipped("a_client_in_an_inner_namespace") {
        return;
    }
    let _watchdog = Watchdog::start(120);
    let name = unique_name("inner-client");
    let (_running, client) = server_here(&name);
    let notices = (0..ROUNDS).map(|_| {
        let mut guest = Guest::start_apart(&format!("exec {GUEST} stay {name}")).unwrap();
        let inner = guest.line().unwrap();
        assert_eq!(inner, format!("linked {} true", guest.inner_pid().unwrap()));
        kill(guest.inner_pid().unwrap());
        until(|| client.seen().unwrap().1 == 1)
    });
    check_notices("a client in an inner namespace", notices.collect());
    let (_, _, departures) = client.seen().unwrap();
    assert!(departures.iter().all(|how| how.contains("without a goodbye")), "{departures:?}");
}

/// The client cannot see its server, and in its namespace another process has the number that the
/// server has in its own.
#[test]
fn a_server_in_an_outer_namespace_whose_number_another_has() {
    if !is_root_or_skipped("a_server_in_an_outer_namespace_whose_number_another_has") {
        return;
    }
    let _watchdog = Watchdog::start(120);
    let name = unique_name("outer-server");
    let notices = (0..ROUNDS).map(|round| {
        let mut server = Guest::start(GUEST, &format!("serve {name}")).unwrap();
        assert_eq!(server.line().unwrap(), "ready");
        let mut client = Guest::start_apart(&beside_number(server.process().pid(), &name)).unwrap();
        assert_eq!(client.line().unwrap(), "same number");
        assert!(client.line().unwrap().starts_with("linked"));
        // At once after a ring, and asleep for longer and longer.
        std::thread::sleep(Duration::from_millis(u64::from(round) * 35));
        let killed = Instant::now();
        server.process().kill();
        assert!(client.line().unwrap().contains("without a goodbye"));
        killed.elapsed()
    });
    check_notices("a server that cannot be seen", notices.collect());
}

/// A client that stays, with another process beside it of the given number.
fn beside_number(pid: u32, name: &str) -> String {
    let last = pid - 1;
    format!(
        "echo {last} > /proc/sys/kernel/ns_last_pid; sleep 1000 & [ $! = {pid} ] && echo same \
         number; exec {GUEST} stay {name}"
    )
}

/// Two namespaces beside each other: neither sees the other.
#[test]
fn peers_that_cannot_see_each_other() {
    if !is_root_or_skipped("peers_that_cannot_see_each_other") {
        return;
    }
    let _watchdog = Watchdog::start(120);
    let name = unique_name("strangers");
    let mut server = Guest::start_apart(&format!("exec {GUEST} serve {name}")).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let observer = Client::<Identity>::connect(&name).unwrap();
    let notices = (0..ROUNDS).map(|_| {
        let mut client = Guest::start_apart(&format!("exec {GUEST} stay {name}")).unwrap();
        // Both are number one at home. The server cannot tell which number the client has.
        assert_eq!(client.line().unwrap(), "linked 1 false");
        kill(client.inner_pid().unwrap());
        until(|| observer.seen().unwrap().1 == 1)
    });
    check_notices("a client that cannot be seen", notices.collect());
}

#[test]
fn a_pid_that_another_process_has_now() {
    if !is_root_or_skipped("a_pid_that_another_process_has_now") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("reuse");
    let mut guest = Guest::start_apart(&format!("exec {GUEST} reuse {name}")).unwrap();
    let pids = guest.line().unwrap();
    let (told, real) = pids.split_once(' ').unwrap();
    assert_eq!(told, real);
    let error = guest.line().unwrap();
    assert!(error.contains("is gone") && error.contains("without a goodbye"), "{error}");
    let error = guest.line().unwrap();
    assert!(error.contains("no server named"), "{error}");
    assert_eq!(guest.line().unwrap(), "0");
}
