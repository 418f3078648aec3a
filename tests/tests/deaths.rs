//! Peers killed with SIGKILL while they talk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{CallError, Client, Departure, Doorbell, Outcome, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, pattern};
use shmipc_tests::{
    Watchdog, descriptors, segment_names, status, threads, unique_name, with_both_doorbells,
};

const PEER: &str = env!("CARGO_BIN_EXE_peer");

with_both_doorbells!(
    a_killed_server_ends_every_call_with_the_right_outcome,
    a_killed_client_disturbs_nobody,
    a_server_killed_while_a_large_message_is_on_its_way,
);

fn kind(doorbell: Doorbell) -> &'static str {
    if doorbell == Doorbell::Event { "doorbell=event" } else { "doorbell=futex" }
}

fn serve(name: &str, options: &[&str]) -> PeerProcess {
    let arguments = [&["serve", name], options].concat();
    let mut server = PeerProcess::start(PEER, &arguments).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    server
}

fn a_killed_server_ends_every_call_with_the_right_outcome(doorbell: Doorbell) {
    const CALLERS: u64 = 6;
    let _watchdog = Watchdog::start(120);
    let name = unique_name("killed");
    let count_file = std::env::temp_dir().join(&name);
    let count = format!("count={}", count_file.display());
    let mut outcomes = HashSet::new();
    for round in 0..5 {
        let _ = fs::remove_file(&count_file);
        // At once: no waiting for anything of the killed one to go away.
        let mut server = serve(&name, &[kind(doorbell), &count]);
        let client =
            Client::<Probe>::builder(&name).deadline(Duration::from_secs(60)).connect().unwrap();
        client.process_id().unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|ticket| {
                let client = client.clone();
                thread::spawn(move || (ticket, client.slow(100, ticket)))
            })
            .collect();
        thread::sleep(Duration::from_millis(150 + round));
        server.kill();
        let ran = fs::read_to_string(&count_file).unwrap_or_default();
        let ran: HashSet<u64> = ran.lines().map(|line| line.parse().unwrap()).collect();
        for caller in callers {
            match caller.join().unwrap() {
                (ticket, Ok(reply)) => {
                    assert_eq!(reply, ticket);
                    assert!(ran.contains(&ticket));
                }
                (ticket, Err(CallError::PeerGone { departure, outcome, pid })) => {
                    assert_eq!(departure, Departure::Died);
                    assert_eq!(pid, server.pid());
                    let not_started = outcome == Outcome::NotStarted;
                    assert!(!(not_started && ran.contains(&ticket)), "{ticket} ran");
                    outcomes.insert(outcome);
                }
                (ticket, other) => panic!("{ticket}: {other:?}"),
            }
        }
        let error = client.process_id().unwrap_err();
        assert!(error.is_peer_gone() && error.outcome() == Outcome::NotStarted, "{error:?}");
    }
    // One call was running, those behind it were not.
    assert!(outcomes.contains(&Outcome::MayHaveRun) && outcomes.contains(&Outcome::NotStarted));
    let _ = fs::remove_file(&count_file);
    drop(Server::<Probe>::bind(&name).unwrap());
}

fn a_killed_client_disturbs_nobody(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("client-killed");
    let server = Server::<Probe>::builder(&name).doorbell(doorbell).bind().unwrap();
    let running = server.serve(Prober::default()).unwrap();
    let client = Client::<Probe>::connect(&name).unwrap();
    for round in 1..=10 {
        let mut victim = PeerProcess::start(PEER, &["calls", &name]).unwrap();
        assert_eq!(victim.line().unwrap(), "calling");
        assert_eq!(client.peer_ids().unwrap().len(), 2);
        victim.kill();
        while client.peer_ids().unwrap().len() > 1 {
            assert_eq!(client.echo(pattern(1_000)).unwrap(), pattern(1_000));
        }
        let (arrivals, departures) = client.comings().unwrap();
        assert_eq!(arrivals, round + 1);
        assert_eq!(departures.len() as u64, round);
        assert!(departures.iter().all(|how| how.contains("without a goodbye")), "{departures:?}");
    }
    running.stop().unwrap();
}

fn a_server_killed_while_a_large_message_is_on_its_way(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("large-killed");
    for millis in [1, 3, 10, 20] {
        let mut server = serve(&name, &[kind(doorbell), "ring=4096"]);
        let client =
            Client::<Probe>::builder(&name).deadline(Duration::from_secs(60)).connect().unwrap();
        let sender = thread::spawn(move || {
            let mut sent = 0;
            loop {
                match client.send(&Probe::Bytes { bytes: pattern(4 << 20) }) {
                    Ok(()) => sent += 1,
                    Err(error) => return (sent, error),
                }
            }
        });
        thread::sleep(Duration::from_millis(millis));
        server.kill();
        let (_, error) = sender.join().unwrap();
        assert!(
            matches!(error, shmipc::SendError::PeerGone { departure: Departure::Died, .. }),
            "{error:?}"
        );
    }
    drop(Server::<Probe>::bind(&name).unwrap());
}

/// Names that were not there before, after those that are just being handed over had their time.
fn left_behind(before: &HashSet<String>) -> Vec<String> {
    let started = Instant::now();
    loop {
        let new: Vec<_> =
            segment_names().into_iter().filter(|name| !before.contains(name)).collect();
        if new.is_empty() || started.elapsed() > Duration::from_secs(10) {
            return new;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A generator of the usual kind (xorshift64), so that a failing run can be told by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn two_hundred_kills_leave_nothing_behind() {
    let _watchdog = Watchdog::start(300);
    let before: HashSet<String> = segment_names().into_iter().collect();
    let seed = u64::from(std::process::id()) | 1 << 32;
    println!("seed {seed}");
    let mut random = Random(seed);

    // 150 clients of one server, which must be afterwards what it was before.
    let name = unique_name("kills");
    let mut server = serve(&name, &["doorbell=futex"]);
    let client = Client::<Probe>::connect(&name).unwrap();
    // What a first client makes the server allocate for good is not a leak.
    for _ in 0..8 {
        kill_a_churning_client(&name, &mut random);
    }
    let (fds, memory, threads) = settled(&client, &server);
    for _ in 0..150 {
        kill_a_churning_client(&name, &mut random);
        client.echo(pattern(100)).unwrap();
    }
    let (fds_after, memory_after, threads_after) = settled(&client, &server);
    assert_eq!((fds_after, threads_after), (fds, threads), "descriptors and threads");
    assert!(memory_after <= memory + 4_096, "resident: {memory} KiB, then {memory_after} KiB");
    drop(client);
    server.kill();

    // 50 servers with clients that churn.
    let mut clients: Vec<_> =
        (0..2).map(|_| PeerProcess::start(PEER, &["churn", &name]).unwrap()).collect();
    for _ in 0..50 {
        let mut server = serve(&name, &["doorbell=futex"]);
        thread::sleep(Duration::from_micros(random.below(30_000)));
        server.kill();
    }
    let server = serve(&name, &["doorbell=futex"]);
    clients.iter_mut().for_each(PeerProcess::kill);
    drop(clients);
    let client = Client::<Probe>::connect(&name).unwrap();
    while client.peer_ids().unwrap().len() > 1 {
        thread::sleep(Duration::from_millis(10));
    }
    drop(client);
    assert!(server.wait().unwrap());
    assert_eq!(left_behind(&before), Vec::<String>::new());
}

fn kill_a_churning_client(name: &str, random: &mut Random) {
    let mut victim = PeerProcess::start(PEER, &["churn", name]).unwrap();
    assert_eq!(victim.line().unwrap(), "churning");
    thread::sleep(Duration::from_micros(random.below(20_000)));
    victim.kill();
}

/// The server's descriptors, resident memory in KiB, and threads, once only `client` is left.
fn settled(client: &Client<Probe>, server: &PeerProcess) -> (usize, u64, u64) {
    while client.peer_ids().unwrap().len() > 1 {
        thread::sleep(Duration::from_millis(10));
    }
    // The watch on the last dead client ends a moment after its link.
    thread::sleep(Duration::from_millis(200));
    let path = format!("/proc/{}/status", server.pid());
    (descriptors(server.pid()), status(&path, "VmRSS").unwrap_or(0), threads(server.pid()))
}
