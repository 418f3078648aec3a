//! What happens while a message is encoded, which is the user's code: it runs once for each
//! message, keeps nobody waiting but its own thread, and may panic, wait, or use other links.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shmipc::{
    CallError, Client, Context, Local, Outcome, Peer, Running, SendError, Server, ShmMessage,
};
use shmipc_tests::{Watchdog, unique_name};

/// Numbers that are given away by encoding them: a second pass would find none. What is to be done
/// meanwhile is done after the first half of them.
#[derive(Default)]
struct Row {
    numbers: Cell<Vec<u64>>,
    meanwhile: Cell<Option<Box<dyn FnOnce() + Send>>>,
}

impl Row {
    fn of(count: u64) -> Self {
        Self { numbers: Cell::new((0..count).collect()), ..Self::default() }
    }

    fn doing(count: u64, meanwhile: impl FnOnce() + Send + 'static) -> Self {
        let row = Self::of(count);
        row.meanwhile.set(Some(Box::new(meanwhile)));
        row
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let numbers = self.numbers.take();
        let mut sequence = serializer.serialize_seq(Some(numbers.len()))?;
        for (index, number) in numbers.iter().enumerate() {
            if index == numbers.len() / 2
                && let Some(meanwhile) = self.meanwhile.take()
            {
                meanwhile();
            }
            sequence.serialize_element(number)?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Cell::new(Vec::deserialize(deserializer)?);
        Ok(Self { numbers, ..Self::default() })
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row")
    }
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = SheetEvent)]
enum Sheet {
    /// Counted.
    Add { row: Row },
    /// What `Add` brought so far: the length of each row.
    #[shm(reply = Vec<u64>)]
    Lengths,
    /// The row back.
    #[shm(reply = Row)]
    Back { row: Row },
    /// A row as reply whose encoding sends its caller an event; what came of that is in `Told`.
    #[shm(reply = Row)]
    Meddle { count: u64 },
    #[shm(reply = String)]
    Told,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum SheetEvent {
    Row { row: Row },
    Word { number: u64 },
}

#[derive(Default)]
struct Keeper {
    lengths: Vec<u64>,
    told: Arc<Mutex<String>>,
}

impl SheetHandler for Keeper {
    fn add(&mut self, _cx: &Context<Sheet>, row: Row) {
        self.lengths.push(checked(row));
    }

    fn lengths(&mut self, _cx: &Context<Sheet>) -> Vec<u64> {
        self.lengths.clone()
    }

    fn back(&mut self, _cx: &Context<Sheet>, row: Row) -> Row {
        row
    }

    fn meddle(&mut self, cx: &Context<Sheet>, count: u64) -> Row {
        let (peer, told) = (cx.peer().clone(), self.told.clone());
        Row::doing(count, move || {
            *told.lock().unwrap() = refusal(peer.send(&SheetEvent::Word { number: 7 }));
        })
    }

    fn told(&mut self, _cx: &Context<Sheet>) -> String {
        self.told.lock().unwrap().clone()
    }
}

/// `inside`, or what else came of a send or a call.
fn refusal<T>(sent: Result<T, impl Into<CallError>>) -> String {
    match sent.map_err(Into::into) {
        Err(CallError::NotSent(SendError::InsideSerialize)) => "inside".into(),
        Err(other) => format!("{other}"),
        Ok(_) => "sent".into(),
    }
}

/// The row's length, if it is a row from zero on.
fn checked(row: Row) -> u64 {
    let numbers = row.numbers.into_inner();
    let whole = numbers.iter().enumerate().all(|(index, number)| index as u64 == *number);
    if whole { numbers.len() as u64 } else { u64::MAX }
}

/// Of each kind: in private memory at first, in the ring, and larger than the ring.
const COUNTS: [u64; 6] = [3, 50, 70, 1_000, 12_000, 100_000];

fn serve(test: &str) -> (String, Running<Sheet>) {
    let name = unique_name(test);
    let server = Server::<Sheet>::bind(&name).unwrap();
    (name, server.serve(Keeper::default()).unwrap())
}

fn connect(name: &str) -> Client<Sheet> {
    Client::builder(name).deadline(Duration::from_secs(30)).connect().unwrap()
}

/// A client that hands on the lengths of rows, and `number` of words plus a million.
fn listen(name: &str) -> (Client<Sheet>, mpsc::Receiver<u64>) {
    let (events, received) = mpsc::channel();
    let client = Client::<Sheet>::builder(name)
        .deadline(Duration::from_secs(30))
        .on_event(move |event: SheetEvent| {
            let number = match event {
                SheetEvent::Row { row } => checked(row),
                SheetEvent::Word { number } => number + 1_000_000,
            };
            let _ = events.send(number);
        })
        .connect()
        .unwrap();
    (client, received)
}

fn peer(running: &Running<Sheet>, client: &Client<Sheet>) -> Peer<SheetEvent> {
    running.handle().peer(client.id()).unwrap()
}

/// Arrivals of an event within a time that only a broken build needs.
fn next(received: &mpsc::Receiver<u64>) -> u64 {
    received.recv_timeout(Duration::from_secs(30)).unwrap()
}

#[test]
fn a_message_is_encoded_once_whatever_its_size() {
    let _watchdog = Watchdog::start(120);
    let (name, running) = serve("once");
    let (client, received) = listen(&name);
    let peer = peer(&running, &client);
    for count in COUNTS {
        // Again and again, so that each comes to the ring's end, and what went through the ring
        // before tells where the next one fits.
        for _ in 0..5 {
            client.add(Row::of(count)).unwrap();
            peer.send(&SheetEvent::Row { row: Row::of(count) }).unwrap();
            assert_eq!(next(&received), count);
        }
        assert_eq!(checked(client.back(Row::of(count)).unwrap()), count);
    }
    let expected: Vec<u64> = COUNTS.iter().flat_map(|count| [*count; 5]).collect();
    assert_eq!(client.lengths().unwrap(), expected);
    running.stop().unwrap();
}

#[test]
fn many_threads_of_mixed_sizes_are_whole_each() {
    let _watchdog = Watchdog::start(120);
    let (name, running) = serve("mixed");
    let (client, received) = listen(&name);
    let peer = peer(&running, &client);
    let rounds = 40;
    thread::scope(|scope| {
        for count in COUNTS {
            let (client, peer) = (client.clone(), peer.clone());
            scope.spawn(move || {
                for _ in 0..rounds {
                    client.add(Row::of(count)).unwrap();
                    let refused = |sent| matches!(sent, Err(SendError::Overflow { .. }));
                    while refused(peer.send(&SheetEvent::Row { row: Row::of(count) })) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        let mut got: Vec<u64> = (0..rounds * COUNTS.len()).map(|_| next(&received)).collect();
        got.sort_unstable();
        let mut expected: Vec<u64> = COUNTS.iter().flat_map(|count| vec![*count; rounds]).collect();
        expected.sort_unstable();
        assert_eq!(got, expected);
    });
    let mut lengths = client.lengths().unwrap();
    lengths.sort_unstable();
    assert_eq!(lengths.len(), rounds * COUNTS.len());
    assert!(COUNTS.iter().all(|count| lengths.iter().filter(|l| *l == count).count() == rounds));
    running.stop().unwrap();
}

/// A row whose encoding waits until it may go on; says when it has begun.
fn waiting_row(count: u64) -> (Row, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let row = Row::doing(count, move || {
        begun.send(()).unwrap();
        let _ = may_go_on.recv();
    });
    (row, has_begun, go_on)
}

/// The listener once waited for the lock under which events were encoded.
#[test]
fn an_event_that_takes_long_to_encode_keeps_nobody_waiting() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("slow-event");
    let (client, received) = listen(&name);
    let (other, others) = listen(&name);
    let peer = peer(&running, &client);
    for count in COUNTS {
        let (row, has_begun, go_on) = waiting_row(count);
        thread::scope(|scope| {
            let sender = scope.spawn(|| peer.send(&SheetEvent::Row { row }));
            has_begun.recv().unwrap();
            // Other clients, this client, and other events for it, small and large, of this thread
            // and of the listener's.
            assert_eq!(checked(other.back(Row::of(10)).unwrap()), 10);
            assert_eq!(checked(client.back(Row::of(10)).unwrap()), 10);
            peer.send(&SheetEvent::Word { number: 1 }).unwrap();
            peer.send(&SheetEvent::Row { row: Row::of(1_000) }).unwrap();
            assert_eq!(running.handle().broadcast(&SheetEvent::Word { number: 2 }).delivered, 2);
            assert_eq!(next(&others), 1_000_002);
            go_on.send(()).unwrap();
            sender.join().unwrap().unwrap();
        });
        let mut got: Vec<u64> = (0..4).map(|_| next(&received)).collect();
        got.retain(|event| *event != count || count == 1_000);
        // What one thread sent is in its order, before or behind the slow one.
        let expected = [1_000_001, 1_000, 1_000_002];
        assert_eq!(got.iter().filter(|event| expected.contains(event)).count(), got.len());
        let words: Vec<_> = got.iter().filter(|event| **event > 1_000_000).collect();
        assert_eq!(words, [&1_000_001, &1_000_002]);
    }
    running.stop().unwrap();
}

/// A send with a deadline beside another thread's encoding once came back after both.
#[test]
fn a_notice_that_takes_long_to_encode_keeps_nobody_past_the_deadline() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("slow-notice");
    let client = connect(&name);
    let hasty = client.with_deadline(Duration::from_millis(20));
    let mut expected = 0;
    for count in COUNTS {
        let (row, has_begun, go_on) = waiting_row(count);
        thread::scope(|scope| {
            let sender = scope.spawn(|| client.add(row));
            has_begun.recv().unwrap();
            // Each comes back while the other thread is still at it: through, or by its deadline.
            for size in [3, 1_000, 100_000] {
                match hasty.add(Row::of(size)) {
                    Ok(()) => expected += 1,
                    Err(SendError::Deadline { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            match hasty.back(Row::of(3)) {
                Ok(_) | Err(CallError::Deadline { .. }) => {}
                other => panic!("{other:?}"),
            }
            go_on.send(()).unwrap();
            sender.join().unwrap().unwrap();
        });
        expected += 1;
    }
    let lengths = client.lengths().unwrap();
    assert_eq!(lengths.len(), expected);
    assert!(COUNTS.iter().all(|count| lengths.contains(count)));
    running.stop().unwrap();
}

#[test]
fn a_panic_in_the_middle_of_a_message_sends_nothing_and_the_lane_goes_on() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("panics");
    let (client, received) = listen(&name);
    let peer = peer(&running, &client);
    for count in COUNTS {
        let panics = || Row::doing(count, || panic!("in the middle of a row"));
        let notice = catch_unwind(AssertUnwindSafe(|| client.add(panics())));
        let request = catch_unwind(AssertUnwindSafe(|| client.back(panics())));
        let event = SheetEvent::Row { row: panics() };
        let event = catch_unwind(AssertUnwindSafe(|| peer.send(&event)));
        assert!(notice.is_err() && request.is_err() && event.is_err());
        client.add(Row::of(count)).unwrap();
        peer.send(&SheetEvent::Row { row: Row::of(count) }).unwrap();
        assert_eq!(next(&received), count);
    }
    assert_eq!(client.lengths().unwrap(), COUNTS);
    running.stop().unwrap();
}

/// What came of sending and calling from inside the encoding of a row of so many numbers.
fn meddling(
    count: u64,
    send: impl FnOnce(Row),
    meddle: impl FnOnce() -> String + Send + 'static,
) -> String {
    let (told, tells) = mpsc::channel();
    send(Row::doing(count, move || told.send(meddle()).unwrap()));
    tells.recv().unwrap()
}

#[test]
fn sending_on_the_same_link_from_inside_an_encoding_is_an_error_at_once() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("inside");
    // Deadlines that would outlast the watchdog.
    let client = Client::<Sheet>::builder(&name).deadline(Duration::MAX).connect().unwrap();
    for count in COUNTS {
        let inner = client.clone();
        let sent = meddling(
            count,
            |row| client.add(row).unwrap(),
            move || {
                let notice = refusal(inner.add(Row::of(3)));
                let large = refusal(inner.add(Row::of(1_000)));
                let call = inner.back(Row::of(3)).unwrap_err();
                assert_eq!(call.outcome(), Outcome::NotStarted);
                let many = inner.send_all([Sheet::Add { row: Row::of(3) }]).unwrap_err();
                assert_eq!(many.sent, 0);
                let (call, many) = (refusal::<()>(Err(call)), refusal::<()>(Err(many.error)));
                format!("{notice} {large} {call} {many}")
            },
        );
        assert_eq!(sent, "inside inside inside inside");
        let inner = client.clone();
        let called = meddling(
            count,
            |row| assert_eq!(checked(client.back(row).unwrap()), count),
            move || refusal(inner.lengths()),
        );
        assert_eq!(called, "inside");
        let inner = client.clone();
        let all = meddling(
            count,
            |row| assert_eq!(client.send_all([Sheet::Add { row }]).unwrap(), 1),
            move || refusal(inner.lengths()),
        );
        assert_eq!(all, "inside");
    }
    let twice: Vec<u64> = COUNTS.iter().flat_map(|count| [*count; 2]).collect();
    assert_eq!(client.lengths().unwrap(), twice);
    running.stop().unwrap();
}

#[test]
fn another_client_works_from_inside_an_encoding_and_back_is_refused() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("beside");
    let (first, second) = (connect(&name), connect(&name));
    for count in COUNTS {
        let (one, other) = (first.clone(), second.clone());
        let told = meddling(
            count,
            |row| first.add(row).unwrap(),
            move || {
                let innermost = one.clone();
                // From inside this one's encoding the first one is as far as before.
                let row = Row::doing(count, move || {
                    assert!(matches!(innermost.add(Row::of(1)), Err(SendError::InsideSerialize)));
                });
                assert_eq!(checked(other.back(row).unwrap()), count);
                assert!(matches!(one.add(Row::of(1)), Err(SendError::InsideSerialize)));
                "done".into()
            },
        );
        assert_eq!(told, "done");
    }
    assert_eq!(first.lengths().unwrap(), COUNTS);
    running.stop().unwrap();
}

#[test]
fn events_replies_and_broadcasts_from_inside_an_encoding() {
    let _watchdog = Watchdog::start(60);
    let (name, running) = serve("inside-server");
    let (client, received) = listen(&name);
    let (other, others) = listen(&name);
    let (to_client, to_other) = (peer(&running, &client), peer(&running, &other));
    let handle = running.handle();
    for count in COUNTS {
        let (inner, beside, all) = (to_client.clone(), to_other.clone(), handle.clone());
        let told = meddling(
            count,
            |row| to_client.send(&SheetEvent::Row { row }).unwrap(),
            move || {
                beside.send(&SheetEvent::Word { number: 1 }).unwrap();
                // To one of its links it cannot go, so it goes to none.
                let broadcast = all.broadcast(&SheetEvent::Word { number: 2 });
                assert_eq!((broadcast.delivered, broadcast.missed), (0, 0));
                let word = SheetEvent::Word { number: 3 };
                format!(
                    "{} {}",
                    refusal(inner.send(&word)),
                    refusal(broadcast.error.map_or(Ok(()), Err))
                )
            },
        );
        assert_eq!(told, "inside inside");
        assert_eq!((next(&received), next(&others)), (count, 1_000_001));

        let (inner, all) = (to_client.clone(), handle.clone());
        let told = meddling(
            count,
            |row| assert_eq!(handle.broadcast(&SheetEvent::Row { row }).delivered, 2),
            move || {
                let broadcast = all.broadcast(&SheetEvent::Word { number: 4 });
                let word = SheetEvent::Word { number: 5 };
                format!(
                    "{} {}",
                    refusal(inner.send(&word)),
                    refusal(broadcast.error.map_or(Ok(()), Err))
                )
            },
        );
        assert_eq!(told, "inside inside");
        assert_eq!((next(&received), next(&others)), (count, count));

        assert_eq!(checked(client.meddle(count).unwrap()), count);
        assert_eq!(client.told().unwrap(), "inside");
    }
    running.stop().unwrap();
    assert!(received.try_recv().is_err());
}

#[test]
fn a_local_handler_is_not_called_from_inside_its_own_calls() {
    let _watchdog = Watchdog::start(60);
    let local = Arc::new(Local::<Sheet, _>::new(Keeper::default()));
    let inner = local.clone();
    // Not `Send`, so not `meddling`.
    let told = Arc::new(Mutex::new(String::new()));
    let tells = told.clone();
    let row = Row::doing(3, move || {
        *tells.lock().unwrap() = refusal(inner.lengths());
    });
    assert_eq!(checked(local.back(row).unwrap()), 3);
    assert_eq!(*told.lock().unwrap(), "inside");
    assert!(local.lengths().unwrap().is_empty());
}
