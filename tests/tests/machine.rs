//! What a process or the machine sets limits to: files, memory, names. Each limit is told as what
//! it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shmipc::{Client, ConnectError, Limit, Refusal};
use shmipc_tests::guest::until;
use shmipc_tests::process::{PeerProcess, in_a_mount_namespace};
use shmipc_tests::protocol::{Probe, ProbeClient};
use shmipc_tests::{Watchdog, is_deep, segment_names, unique_name};

const NARROW: &str = env!("CARGO_BIN_EXE_narrow");

fn narrow(words: &[&str]) -> PeerProcess {
    PeerProcess::start(NARROW, words).unwrap()
}

fn ready(words: &[&str]) -> PeerProcess {
    let mut process = narrow(words);
    assert_eq!(process.line().unwrap(), "ready", "{words:?}");
    process
}

/// Its clients were told that their rings may be too large, its owner nothing.
#[test]
fn a_server_without_descriptors_says_so_and_serves_on() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("narrow-server");
    let mut server = ready(&["serve", &name, "64", "100"]);
    let mut clients = Vec::new();
    let refused = loop {
        match Client::<Probe>::connect(&name) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    println!("{} links, then: {refused}", clients.len());
    let limit = matches!(
        refused,
        ConnectError::Refused { refusal: Refusal::Limit(Limit::Descriptors), .. }
    );
    assert!(limit, "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("RLIMIT_NOFILE") && text.contains("max_links"), "{text}");
    let told = server.line().unwrap();
    assert!(told.starts_with("a client was refused: could not open a shared memory"), "{told}");
    assert!(told.contains("Too many open files") && told.contains("RLIMIT_NOFILE"), "{told}");
    // Two for each link at most.
    assert!(clients.len() >= 24, "{}", clients.len());
    for client in &clients {
        client.echo(vec![1]).unwrap();
    }
    let before = clients.len();
    clients.truncate(before / 2);
    until(|| clients[0].peer_ids().unwrap().len() == clients.len());
    clients.push(Client::<Probe>::connect(&name).unwrap());
    clients.last().unwrap().echo(vec![1]).unwrap();
}

#[test]
fn a_client_without_descriptors_says_so_and_calls_on() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("narrow-client");
    let mut server = ready(&["serve", &name, "1024", "100"]);
    let mut client = narrow(&["connect", &name, "40"]);
    let error = client.line().unwrap();
    assert!(error.contains("RLIMIT_NOFILE") && error.contains("Too many open"), "{error}");
    let links = client.line().unwrap();
    assert!(links.ends_with(" links") && links != "0 links", "{links}");
    assert!(client.wait().unwrap());
    server.kill();
    drop(
        Client::<Probe>::builder(&name)
            .connect_deadline(std::time::Duration::from_millis(1))
            .connect(),
    );
}

#[test]
fn binding_without_descriptors_says_so_and_leaves_nothing() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("narrow-bind");
    let mut process = narrow(&["bind", &name, "64"]);
    let mut errors = 0;
    loop {
        let line = process.line().unwrap();
        if line.starts_with("bound with") {
            break;
        }
        assert!(line.contains("RLIMIT_NOFILE") && line.contains("Too many open files"), "{line}");
        errors += 1;
        assert!(!segment_names().contains(&format!("shmipc.r.{name}")), "{errors}: {line}");
        process.say("next").unwrap();
    }
    assert!(errors >= 1);
    assert!(process.wait().unwrap());
}

#[test]
fn a_process_without_memory_says_so() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("narrow-memory");
    let _server = ready(&["serve", &name, "1024", "100"]);
    let error = narrow(&["memory", &name]).line().unwrap();
    assert!(error.contains("RLIMIT_AS"), "{error}");
}

/// "Its segment changes all the time", and at the client "no server, start it".
#[test]
fn a_system_without_shared_memory_says_so() {
    let _watchdog = Watchdog::start(60);
    let script = format!("mount -t tmpfs tmpfs /dev && exec '{NARROW}' nowhere nothing");
    let Some(text) = in_a_mount_namespace(&script) else { return };
    assert_eq!(
        text.lines().filter(|line| line.contains("there is no /dev/shm")).count(),
        2,
        "{text}"
    );
}

#[test]
fn a_shared_memory_without_room_for_another_file_says_so() {
    let _watchdog = Watchdog::start(60);
    // The directory itself is one of two.
    let script = format!(
        "mount -t tmpfs -o nr_inodes=2 tmpfs /dev/shm && touch /dev/shm/one && exec '{NARROW}' \
         nowhere nothing"
    );
    let Some(text) = in_a_mount_namespace(&script) else { return };
    assert!(text.lines().next().unwrap().contains("takes no more files"), "{text}");
}

/// As many links as there can be, each called; and not one more.
fn links(count: usize, processes: usize) {
    let name = unique_name("links");
    let mut server = ready(&["widest", &name, &count.to_string()]);
    let mut clients: Vec<PeerProcess> = (0..processes)
        .map(|_| narrow(&["links", &name, &(count / processes).to_string()]))
        .collect();
    for client in &mut clients {
        assert_eq!(client.line().unwrap(), "ready");
    }
    match Client::<Probe>::connect(&name) {
        Err(ConnectError::Refused { refusal: Refusal::TooManyLinks, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(server.line().unwrap().contains("as many as `max_links` allows"));
    drop(clients.pop());
    let next = std::iter::repeat_with(|| Client::<Probe>::connect(&name)).find_map(Result::ok);
    next.unwrap().echo(vec![1]).unwrap();
}

#[test]
fn more_links_than_usual() {
    let _watchdog = Watchdog::start(120);
    links(480, 4);
}

#[test]
#[ignore = "4,032 links: see ci/deep"]
fn as_many_links_as_there_can_be() {
    let _watchdog = Watchdog::start(600);
    links(4_032, 4);
}

/// One walk through all names kept `bind` for as long as it took.
#[test]
fn what_the_dead_left_is_removed_and_keeps_nobody() {
    let _watchdog = Watchdog::start(180);
    let (count, others) = if is_deep() { ("10000", "100000") } else { ("1000", "10000") };
    let script = format!("mount -t tmpfs tmpfs /dev/shm && exec '{NARROW}' stale {count} {others}");
    let Some(text) = in_a_mount_namespace(&script) else { return };
    println!("{text}");
    assert!(text.contains("all gone"), "{text}");
}

/// Each one's sweep passes over the others' newborn files.
#[test]
fn many_bind_different_names_at_once() {
    let _watchdog = Watchdog::start(600);
    let count = if is_deep() { "1000" } else { "30" };
    let mut processes: Vec<(String, PeerProcess)> = (0..8)
        .map(|_| {
            let prefix = unique_name("different");
            let process = narrow(&["names", &prefix, count]);
            (prefix, process)
        })
        .collect();
    for (_, process) in &mut processes {
        assert_eq!(process.line().unwrap(), format!("{count} names"));
    }
    for (prefix, process) in processes {
        assert!(process.wait().unwrap());
        assert!(!segment_names().iter().any(|name| name.contains(&prefix)), "{prefix}");
    }
}
