//! Broadcasts of several threads while clients come and go: each client hears one row without a gap
//! from its arrival on, and what the broadcasts say about themselves adds up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Server, ShmMessage};
use shmipc_tests::{Watchdog, unique_name};

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = HallEvent)]
enum Hall {
    /// Handled once everything before it was.
    #[shm(reply = ())]
    Here,
}

#[derive(Debug, Clone, Serialize, Deserialize, ShmMessage)]
enum HallEvent {
    /// The next number of one of the broadcasting threads; of varying size.
    Number { thread: usize, number: u64, filling: Vec<u8> },
}

/// What each thread's next number will be.
type Begun = Arc<[AtomicU64; THREADS]>;

struct Warden;

impl HallHandler for Warden {
    fn here(&mut self, _cx: &Context<Hall>) {}
}

const THREADS: usize = 4;
/// Clients that come and go, one after the other in each of so many rows.
const ROWS: usize = 3;
const VISITS: usize = 30;

/// What a client heard: by thread the first and the next number.
#[derive(Default)]
struct Heard {
    rows: [Option<(u64, u64)>; THREADS],
    count: u64,
    missed: u64,
    disorder: Vec<String>,
}

impl Heard {
    fn hear(&mut self, thread: usize, number: u64) {
        self.count += 1;
        let (_, next) = self.rows[thread].get_or_insert((number, number));
        if *next != number {
            self.disorder.push(format!("thread {thread}: {number} instead of {next}"));
        }
        *next = number + 1;
    }
}

fn visit(name: &str, heard: &Arc<Mutex<Heard>>) -> Client<Hall> {
    let (on_event, on_missed) = (heard.clone(), heard.clone());
    Client::<Hall>::builder(name)
        .deadline(Duration::from_secs(30))
        .on_event(move |HallEvent::Number { thread, number, .. }: HallEvent| {
            on_event.lock().unwrap().hear(thread, number);
        })
        .on_missed(move |count| on_missed.lock().unwrap().missed += count)
        .connect()
        .unwrap()
}

/// A client that comes, hears some, and goes; its row must begin with a broadcast that had not
/// ended when it began to come.
fn come_and_go(name: &str, begun: &Begun, stay: u64) {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let before: Vec<u64> = begun.iter().map(|next| next.load(Ordering::SeqCst)).collect();
    let client = visit(name, &heard);
    client.here().unwrap();
    let arrived: Vec<u64> = begun.iter().map(|next| next.load(Ordering::SeqCst)).collect();
    while heard.lock().unwrap().count < stay {
        thread::yield_now();
    }
    client.close();
    drop(client);
    let heard = heard.lock().unwrap();
    assert_eq!((heard.missed, heard.disorder.as_slice()), (0, [].as_slice()));
    for (thread, row) in heard.rows.iter().enumerate() {
        let Some((first, _)) = row else { continue };
        // The one that was on its way when it began to come, or a later one; and none may be left
        // out that began once it was there.
        assert!(*first + 1 >= before[thread], "thread {thread} began with {first} before its time");
        assert!(*first <= arrived[thread], "thread {thread}: {first}, there since {arrived:?}");
    }
}

#[test]
fn rows_are_whole_from_a_clients_arrival_on_and_the_counts_add_up() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("broadcasts");
    let server = Server::<Hall>::builder(&name).max_queued(256 << 20).bind().unwrap();
    let running = server.serve(Warden).unwrap();
    let begun = Begun::default();
    let (stays, delivered) = (Arc::new(Mutex::new(Heard::default())), AtomicU64::new(0));
    let stayer = visit(&name, &stays);
    stayer.here().unwrap();
    let over = AtomicBool::new(false);
    let totals = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (handle, begun, over, delivered) =
                    (running.handle(), begun.clone(), &over, &delivered);
                scope.spawn(move || {
                    let mut number = 0;
                    while !over.load(Ordering::SeqCst) {
                        begun[thread].store(number + 1, Ordering::SeqCst);
                        let filling = vec![0; [0, 300, 3_000, 30_000][thread]];
                        let sent = handle.broadcast(&HallEvent::Number { thread, number, filling });
                        assert_eq!((sent.missed, sent.error.is_none()), (0, true));
                        assert!((1..=1 + ROWS).contains(&sent.delivered));
                        delivered.fetch_add(sent.delivered as u64, Ordering::SeqCst);
                        number += 1;
                        // Not faster than clients of a test take it.
                        thread::sleep(Duration::from_micros(200));
                    }
                    number
                })
            })
            .collect();
        let rows: Vec<_> = (0..ROWS)
            .map(|row| {
                let (name, begun) = (&name, &begun);
                scope.spawn(move || {
                    (0..VISITS)
                        .for_each(|visit| come_and_go(name, begun, (visit + row) as u64 * 5));
                })
            })
            .collect();
        let ended: Vec<_> = rows.into_iter().map(|row| row.join()).collect();
        over.store(true, Ordering::SeqCst);
        let totals: Vec<u64> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        ended.into_iter().for_each(|row| row.unwrap());
        totals
    });
    let all: u64 = totals.iter().sum();
    // Who was there all the time heard all of it.
    while stays.lock().unwrap().count < all {
        thread::yield_now();
    }
    let heard = stays.lock().unwrap();
    assert_eq!((heard.missed, heard.disorder.as_slice()), (0, [].as_slice()));
    for (row, total) in heard.rows.iter().zip(&totals) {
        assert_eq!(*row, Some((0, *total)));
    }
    assert!(delivered.load(Ordering::SeqCst) >= all, "once each to who stayed, at least");
    drop(heard);
    running.stop().unwrap();
}

/// Without a client that goes in the middle, what was delivered is what was heard, exactly.
#[test]
fn delivered_is_what_was_heard() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("delivered");
    let server = Server::<Hall>::builder(&name).max_queued(256 << 20).bind().unwrap();
    let running = server.serve(Warden).unwrap();
    let heard: Vec<_> = (0..5).map(|_| Arc::new(Mutex::new(Heard::default()))).collect();
    let over = AtomicBool::new(false);
    let (delivered, clients) = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (handle, over) = (running.handle(), &over);
                scope.spawn(move || {
                    let (mut number, mut delivered) = (0, 0);
                    while !over.load(Ordering::SeqCst) {
                        let filling = vec![0; thread * 1_000];
                        let result =
                            handle.broadcast(&HallEvent::Number { thread, number, filling });
                        delivered += result.delivered as u64;
                        number += 1;
                        thread::sleep(Duration::from_micros(200));
                    }
                    delivered
                })
            })
            .collect();
        let clients: Vec<_> = heard
            .iter()
            .map(|heard| {
                let client = visit(&name, heard);
                while heard.lock().unwrap().count < 100 {
                    thread::yield_now();
                }
                client
            })
            .collect();
        over.store(true, Ordering::SeqCst);
        let delivered: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        (delivered, clients)
    });
    let count = || heard.iter().map(|heard| heard.lock().unwrap().count).sum::<u64>();
    while count() < delivered {
        thread::yield_now();
    }
    // Nothing more is on its way: what comes is handled in order, and this came after all of it.
    running.handle().broadcast(&HallEvent::Number { thread: 0, number: 0, filling: vec![] });
    while count() < delivered + 5 {
        thread::yield_now();
    }
    assert_eq!(count(), delivered + 5);
    drop(clients);
    running.stop().unwrap();
}
