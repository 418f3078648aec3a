//! Nothing is lost in silence: an event that was refused, cannot be decoded, or whose handler
//! panicked is told to the client that missed it, and to the server as far as it can know; and
//! notices likewise.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};
use shmipc::{CallError, Client, Context, Peer, Rejection, Running, SendError, Server, ShmMessage};
use shmipc_tests::{Watchdog, unique_name};

/// What can be encoded and not always be decoded.
#[derive(Debug, Serialize)]
struct Even(u64);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            number if number % 2 == 0 => Ok(Self(number)),
            number => Err(serde::de::Error::custom(format!("{number} is odd"))),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = BulletinEvent)]
enum Bulletin {
    Note {
        number: Even,
    },
    Bad,
    /// Notes, and what the server's handler missed.
    #[shm(reply = (Vec<u64>, u64))]
    Notes,
    /// Keeps the listener until so many events went out to all others.
    #[shm(reply = ())]
    Nothing,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum BulletinEvent {
    News {
        number: Even,
    },
    Text {
        bytes: Vec<u8>,
    },
    Bad,
    #[shm(reply = u64)]
    Question,
}

#[derive(Default)]
struct Board {
    notes: Vec<u64>,
    missed: u64,
}

impl BulletinHandler for Board {
    fn note(&mut self, _cx: &Context<Bulletin>, number: Even) {
        self.notes.push(number.0);
    }

    fn bad(&mut self, _cx: &Context<Bulletin>) {
        panic!("as asked");
    }

    fn notes(&mut self, _cx: &Context<Bulletin>) -> (Vec<u64>, u64) {
        (self.notes.clone(), self.missed)
    }

    fn nothing(&mut self, _cx: &Context<Bulletin>) {}

    fn messages_missed(&mut self, _cx: &Context<Bulletin>, count: u64) {
        self.missed += count;
    }
}

#[derive(Debug, PartialEq)]
enum Heard {
    News(u64),
    Text(usize),
    Missed(u64),
}

/// A client that tells what it hears, and hears nothing more while the gate's other side is held.
fn listen(name: &str) -> (Client<Bulletin>, mpsc::Receiver<Heard>, mpsc::SyncSender<()>) {
    let (heard, hears) = mpsc::channel();
    let (gate, gated) = mpsc::sync_channel(0);
    let missed = heard.clone();
    let mut first = true;
    let client = Client::<Bulletin>::builder(name)
        .on_event(move |event: BulletinEvent| {
            if std::mem::take(&mut first) {
                let _ = gated.recv();
            }
            drop(heard.send(match event {
                BulletinEvent::News { number } => Heard::News(number.0),
                BulletinEvent::Text { bytes } => Heard::Text(bytes.len()),
                BulletinEvent::Bad => panic!("as asked"),
                BulletinEvent::Question => Heard::News(u64::MAX),
            }));
        })
        .on_missed(move |count| drop(missed.send(Heard::Missed(count))))
        .connect()
        .unwrap();
    (client, hears, gate)
}

fn serve(test: &str) -> (String, Running<Bulletin>) {
    let name = unique_name(test);
    let server = Server::<Bulletin>::builder(&name).max_queued(64 << 10).bind().unwrap();
    (name, server.serve(Board::default()).unwrap())
}

fn peer(running: &Running<Bulletin>, client: &Client<Bulletin>) -> Peer<BulletinEvent> {
    running.handle().peer(client.id()).unwrap()
}

fn next(hears: &mpsc::Receiver<Heard>) -> Heard {
    hears.recv_timeout(Duration::from_secs(30)).unwrap()
}

/// What the other side reported, once so many came.
fn rejections(take: impl Fn() -> Vec<CallError>, count: usize) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(30);
    let mut all = Vec::new();
    while all.len() < count && Instant::now() < until {
        all.extend(take());
        thread::sleep(Duration::from_millis(1));
    }
    all.into_iter()
        .map(|error| match error {
            CallError::Rejected(Rejection::Undecodable(why)) => format!("undecodable: {why}"),
            CallError::Rejected(Rejection::NotHandled) => "not handled".into(),
            CallError::HandlerPanicked { message } => format!("panicked: {message}"),
            other => format!("{other}"),
        })
        .collect()
}

#[test]
fn events_that_are_refused_are_told_as_missed() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("refused");
    let (client, hears, gate) = listen(&name);
    let peer = peer(&running, &client);
    let (mut sent, mut refused) = (0, 0);
    // Small ones and large ones, until enough of them had no room.
    while refused < 100 {
        let size = if (sent + refused) % 3 == 0 { 20_000 } else { 100 };
        match peer.send(&BulletinEvent::Text { bytes: vec![0; size] }) {
            Ok(()) => sent += 1,
            Err(SendError::Overflow { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    // These the sender keeps.
    let kept = BulletinEvent::Text { bytes: vec![0; 60_000] };
    for _ in 0..10 {
        assert!(matches!(peer.try_send(&kept), Err(SendError::Overflow { .. })));
    }
    gate.send(()).unwrap();
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < sent + refused {
        match next(&hears) {
            Heard::Text(_) => heard += 1,
            Heard::Missed(count) => missed += count,
            Heard::News(_) => panic!("no news"),
        }
    }
    assert_eq!((heard, missed), (sent, refused));
    peer.try_send(&kept).unwrap();
    assert_eq!(next(&hears), Heard::Text(60_000));
    running.stop().unwrap();
    assert!(hears.try_recv().is_err());
}

#[test]
fn events_that_nobody_handled_are_told_on_both_sides() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("unhandled");
    let (client, hears, gate) = listen(&name);
    let peer = peer(&running, &client);
    peer.send(&BulletinEvent::News { number: Even(2) }).unwrap();
    gate.send(()).unwrap();
    peer.send(&BulletinEvent::News { number: Even(3) }).unwrap();
    let all = running.handle().broadcast(&BulletinEvent::News { number: Even(5) });
    assert_eq!((all.delivered, all.missed), (1, 0), "delivered is not handled");
    peer.send(&BulletinEvent::Bad).unwrap();
    // A closure answers no questions; nobody waits for this one, and nobody handles it.
    peer.send(&BulletinEvent::Question).unwrap();
    peer.send(&BulletinEvent::News { number: Even(4) }).unwrap();
    assert_eq!(next(&hears), Heard::News(2));
    for _ in 0..4 {
        assert_eq!(next(&hears), Heard::Missed(1));
    }
    assert_eq!(next(&hears), Heard::News(4));
    let reported = rejections(|| peer.take_rejections(), 4);
    let expected =
        ["undecodable: 3 is odd", "undecodable: 5 is odd", "panicked: as asked", "not handled"];
    assert!(
        reported.len() == 4
            && reported.iter().zip(expected).all(|(is, should)| is.contains(should)
                || is.starts_with("undecodable") && is.contains(&should["undecodable: ".len()..])),
        "{reported:?}"
    );
    running.stop().unwrap();
}

#[test]
fn notices_that_nobody_handled_are_told_on_both_sides() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("notices");
    let client = Client::<Bulletin>::connect(&name).unwrap();
    client.note(Even(2)).unwrap();
    client.note(Even(3)).unwrap();
    client.bad().unwrap();
    client.note(Even(4)).unwrap();
    assert_eq!(client.notes().unwrap(), (vec![2, 4], 2));
    let reported = rejections(|| client.take_rejections(), 2);
    assert!(reported.len() == 2 && reported[0].contains("3 is odd"), "{reported:?}");
    assert_eq!(reported[1], "panicked: as asked");
    // Who calls is told itself, and nothing is missed.
    assert!(client.call(&Bulletin::Note { number: Even(5) }).is_err());
    assert!(client.call(&Bulletin::Bad).is_err());
    assert_eq!(client.notes().unwrap(), (vec![2, 4], 2));
    assert!(client.take_rejections().is_empty());
    running.stop().unwrap();
}
