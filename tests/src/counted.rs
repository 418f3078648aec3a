//! Two protocols and their handlers that allocate nothing themselves: what is counted while they
//! run is the library's, and the decoded values'.

#![allow(missing_docs, reason = "the fields of the variants say it all")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

use crate::counting::allocations;

/// Messages that own what they carry.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = OwnedEvent)]
pub enum Owned {
    /// A notice.
    Note { text: String },
    /// The text's length.
    #[shm(reply = u64)]
    Length { text: String },
    /// The text itself.
    #[shm(reply = String)]
    Echo { text: String },
    /// Takes so long, so that what comes after it has to wait.
    Nap { millis: u64 },
    /// So many events to the caller.
    SendEvents { count: u64 },
    /// So many events to everybody.
    Broadcast { count: u64 },
    /// Asks the caller so many times.
    #[shm(reply = u64)]
    AskBack { count: u64 },
    /// The server's allocations so far.
    #[shm(reply = u64)]
    Allocations,
}

/// What the server says of itself.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum OwnedEvent {
    /// Something to allocate for.
    Said { text: String },
    /// Twice the value, please.
    #[shm(reply = u64)]
    Double { value: u64 },
}

/// Messages that borrow what they carry.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Lent<'a> {
    /// A notice.
    Note { text: &'a str },
    /// The text's length.
    #[shm(reply = u64)]
    Length { text: &'a str },
    /// A large notice.
    Picture { pixels: &'a [u8] },
    /// How many pixels.
    #[shm(reply = u64)]
    Measure { pixels: &'a [u8] },
    /// Takes so long, so that what comes after it has to wait.
    Nap { millis: u64 },
    /// The server's allocations so far.
    #[shm(reply = u64)]
    Allocations,
}

/// Serves both.
#[derive(Debug)]
pub struct Quiet {
    event: OwnedEvent,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { event: OwnedEvent::Said { text: "sixteen letters!".into() } }
    }
}

fn nap(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

impl OwnedHandler for Quiet {
    fn note(&mut self, _cx: &Context<Owned>, _text: String) {}

    fn length(&mut self, _cx: &Context<Owned>, text: String) -> u64 {
        text.len() as u64
    }

    fn echo(&mut self, _cx: &Context<Owned>, text: String) -> String {
        text
    }

    fn nap(&mut self, _cx: &Context<Owned>, millis: u64) {
        nap(millis);
    }

    fn send_events(&mut self, cx: &Context<Owned>, count: u64) {
        for _ in 0..count {
            if let Err(error) = cx.peer().send(&self.event) {
                eprintln!("event: {error}");
            }
        }
    }

    fn broadcast(&mut self, cx: &Context<Owned>, count: u64) {
        for _ in 0..count {
            let sent = cx.server().broadcast(&self.event);
            if sent.delivered != 1 {
                eprintln!("broadcast: {sent:?}");
            }
        }
    }

    fn ask_back(&mut self, cx: &Context<Owned>, count: u64) -> u64 {
        (0..count).map(|value| cx.peer().double(value).unwrap_or(0)).sum()
    }

    fn allocations(&mut self, _cx: &Context<Owned>) -> u64 {
        allocations()
    }
}

impl LentHandler for Quiet {
    fn note(&mut self, _cx: &Context<Lent<'static>>, _text: &str) {}

    fn length(&mut self, _cx: &Context<Lent<'static>>, text: &str) -> u64 {
        text.len() as u64
    }

    fn picture(&mut self, _cx: &Context<Lent<'static>>, _pixels: &[u8]) {}

    fn measure(&mut self, _cx: &Context<Lent<'static>>, pixels: &[u8]) -> u64 {
        pixels.len() as u64
    }

    fn nap(&mut self, _cx: &Context<Lent<'static>>, millis: u64) {
        nap(millis);
    }

    fn allocations(&mut self, _cx: &Context<Lent<'static>>) -> u64 {
        allocations()
    }
}

/// Counts a client's events.
#[derive(Debug)]
pub struct Listening;

static HEARD: AtomicU64 = AtomicU64::new(0);

/// Waits until so many events have come since the last time.
pub fn wait_for_events(count: u64) {
    while HEARD.load(Ordering::SeqCst) < count {
        thread::sleep(Duration::from_micros(100));
    }
    HEARD.fetch_sub(count, Ordering::SeqCst);
}

impl OwnedEventHandler for Listening {
    fn said(&mut self, _cx: &Context<OwnedEvent>, _text: String) {
        HEARD.fetch_add(1, Ordering::SeqCst);
    }

    fn double(&mut self, _cx: &Context<OwnedEvent>, value: u64) -> u64 {
        2 * value
    }
}
