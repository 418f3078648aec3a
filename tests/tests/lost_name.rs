//! A name that is removed while its server lives: by hand, or by a log-out with `RemoveIPC=yes`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{fs, thread};

use shmipc::{Client, Departure, ServeError, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::process::PeerProcess;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent};
use shmipc_tests::{Watchdog, segment_names, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");

fn remove(name: &str) {
    fs::remove_file(format!("/dev/shm/shmipc.r.{name}")).unwrap();
}

struct Comer {
    client: Client<Probe>,
    events: Receiver<u64>,
    departure: Receiver<Departure>,
    told: u64,
}

fn comer(name: &str) -> Comer {
    let (event, events) = channel();
    let (departed, departure) = channel();
    let client = Client::<Probe>::builder(name)
        .connect_deadline(Duration::from_secs(30))
        .on_event(move |got| {
            if let ProbeEvent::Number { number } = got {
                event.send(number).unwrap();
            }
        })
        .on_departure(move |how| departed.send(how.clone()).unwrap())
        .connect()
        .unwrap();
    Comer { client, events, departure, told: 0 }
}

/// The server never noticed, and nobody could connect any more.
#[test]
fn a_name_that_was_removed_is_there_again() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("lost");
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let mut comers = vec![comer(&name)];
    for round in 0..4 {
        remove(&name);
        comers.push(comer(&name));
        for Comer { client, .. } in &comers {
            assert_eq!(client.echo(vec![round]).unwrap(), [round]);
        }
        // From idle, too, whatever they came through: calls, notices, and events back.
        thread::sleep(Duration::from_millis(100));
        for comer in &mut comers {
            comer.client.number(0, comer.told).unwrap();
            comer.told += 1;
            thread::sleep(Duration::from_millis(20));
            assert_eq!(comer.client.numbers().unwrap(), (comer.told, 0));
        }
        let sent = running.handle().broadcast(&ProbeEvent::Number { number: u64::from(round) });
        assert_eq!(sent.delivered, comers.len());
        for comer in &comers {
            assert_eq!(comer.events.recv().unwrap(), u64::from(round));
        }
        // Some leave, so that what they came through is of no use any more.
        if round % 2 == 1 {
            comers.remove(1);
        }
    }
    let ids: Vec<u64> = comers.iter().map(|comer| comer.client.id()).collect();
    while comers[0].client.peer_ids().unwrap() != ids {
        thread::sleep(Duration::from_millis(1));
    }
    // Another server does not get the name now.
    assert!(Server::<Probe>::bind(&name).is_err());
    running.stop().unwrap();
    assert!(!segment_names().contains(&format!("shmipc.r.{name}")));
    for comer in comers {
        assert_eq!(comer.departure.recv().unwrap(), Departure::ServerStopped);
    }
}

/// Both lived on, each with some of the clients.
#[test]
fn a_name_that_another_took_ends_the_server_that_lost_it() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("taken");
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let first = comer(&name);
    // The first one may look in between, and then has its name again.
    let other = loop {
        remove(&name);
        let mut other = PeerProcess::start(PEER, &["serve", &name]).unwrap();
        if other.line().is_ok() {
            break other;
        }
    };
    match running.join().unwrap_err() {
        ServeError::NameLost { name: lost, pid } => {
            assert_eq!((lost, pid), (name.clone(), other.pid()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first.departure.recv().unwrap(), Departure::ServerStopped);
    assert_eq!(comer(&name).client.process_id().unwrap(), other.pid());
    assert!(other.wait().unwrap());
}

/// Who is admitted to a server may give its file another server's name: that server once ended.
#[test]
fn a_second_name_of_anothers_file_ends_nobody() {
    let _watchdog = Watchdog::start(60);
    let [name, other] = ["stays", "linked"].map(unique_name);
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    let linked = Server::<Probe>::bind(&other).unwrap().serve(Prober::default()).unwrap();
    let first = comer(&name);
    let path = |name: &str| format!("/dev/shm/shmipc.r.{name}");
    let spare = path(&format!("{name}-spare"));
    fs::hard_link(path(&other), &spare).unwrap();
    fs::rename(&spare, path(&name)).unwrap();
    // It looks once a second.
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(first.client.echo(vec![1]).unwrap(), [1]);
    remove(&name);
    let second = comer(&name);
    let ids = vec![first.client.id(), second.client.id()];
    assert_eq!(second.client.peer_ids().unwrap(), ids, "it is not the server that had the name");
    running.stop().unwrap();
    linked.stop().unwrap();
}
