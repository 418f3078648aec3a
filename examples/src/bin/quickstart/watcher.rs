//! A client's side of the events: sees that none is missing, answers the server's question, and
//! hands on what the client waits for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use shmipc::{Context, Departure};

use crate::protocol::{FileTotals, IndexEvent, IndexEventHandler};

/// What a client waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    Start,
    /// It is the turn of the client with this number.
    Turn(u32),
    Finished,
    /// The link has ended; how.
    Gone(String),
}

/// What came so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) events: u64,
    pub(crate) callbacks: u64,
    pub(crate) mismatches: Vec<String>,
}

/// The client's own end: what it waits for, and what it tells the event handler.
#[derive(Debug)]
pub(crate) struct Watch {
    signals: Receiver<Signal>,
    seen: Arc<Mutex<Seen>>,
    lines_sent: Arc<AtomicU64>,
}

/// Handles the events, on the client's listener thread.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    signals: Sender<Signal>,
    seen: Arc<Mutex<Seen>>,
    lines_sent: Arc<AtomicU64>,
}

/// The two ends.
pub(crate) fn watch() -> (Watcher, Watch) {
    let (sender, receiver) = channel();
    let seen = Arc::<Mutex<Seen>>::default();
    let lines_sent = Arc::<AtomicU64>::default();
    let watcher = Watcher { signals: sender, seen: seen.clone(), lines_sent: lines_sent.clone() };
    let watch = Watch { signals: receiver, seen, lines_sent };
    (watcher, watch)
}

impl Watch {
    /// The next signal, if one comes within `patience`.
    ///
    /// # Errors
    /// The server is gone.
    pub(crate) fn next(&self, patience: Duration) -> Result<Option<Signal>> {
        match self.signals.recv_timeout(patience) {
            Ok(Signal::Gone(how)) => bail!("the server is gone: {how}"),
            Ok(signal) => Ok(Some(signal)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the link to the server has ended"),
        }
    }

    /// Waits for `wanted`; what comes before it is for others.
    ///
    /// # Errors
    /// It does not come within `patience`, or the server is gone.
    pub(crate) fn wait_for(&self, wanted: &Signal, patience: Duration) -> Result<()> {
        loop {
            match self.next(patience)? {
                Some(signal) if signal == *wanted => return Ok(()),
                Some(_) => {}
                None => bail!("waited {patience:?} for {wanted:?}"),
            }
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// A line more was sent.
    pub(crate) fn sent_line(&self) {
        self.lines_sent.fetch_add(1, Ordering::Relaxed);
    }
}

impl Watcher {
    /// Events are numbered from 1 on, without a gap.
    fn see(&self, number: u64) {
        let mut seen = lock(&self.seen);
        seen.events += 1;
        let expected = seen.events;
        if number != expected {
            let text = format!("event {number} came as the {expected}th");
            seen.mismatches.push(text);
        }
    }

    fn signal(&self, signal: Signal) {
        // Nobody receives: the client is about to end.
        drop(self.signals.send(signal));
    }
}

impl IndexEventHandler for Watcher {
    fn start(&mut self, _cx: &Context<IndexEvent>, number: u64) {
        self.see(number);
        self.signal(Signal::Start);
    }

    fn progress(&mut self, _cx: &Context<IndexEvent>, number: u64, _lines: u64) {
        self.see(number);
    }

    fn file_indexed(
        &mut self,
        _cx: &Context<IndexEvent>,
        number: u64,
        _client: u32,
        _path: String,
        _totals: FileTotals,
    ) {
        self.see(number);
    }

    fn turn(&mut self, _cx: &Context<IndexEvent>, number: u64, client: u32) {
        self.see(number);
        self.signal(Signal::Turn(client));
    }

    fn finished(&mut self, _cx: &Context<IndexEvent>, number: u64) {
        self.see(number);
        self.signal(Signal::Finished);
    }

    fn lines_sent(&mut self, _cx: &Context<IndexEvent>) -> u64 {
        lock(&self.seen).callbacks += 1;
        // The server asks while this client waits in a call, which it made after its last line.
        self.lines_sent.load(Ordering::Relaxed)
    }

    fn peer_departed(&mut self, _cx: &Context<IndexEvent>, departure: &Departure) {
        self.signal(Signal::Gone(departure.to_string()));
    }

    fn messages_missed(&mut self, _cx: &Context<IndexEvent>, count: u64) {
        let text = format!("the server dropped {count} events");
        lock(&self.seen).mismatches.push(text);
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
