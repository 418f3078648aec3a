//! The server under attack.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Write, stdin};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use shmipc::{Context, Departure, Peer, Server};

use super::protocol::{Rich, RichEvent, RichEventClient, RichHandler, Value};

/// What the server allows, and so what its memory may come to.
pub const RING: usize = 64 << 10;
pub const MAX_MESSAGE: usize = 1 << 20;
pub const MAX_QUEUED: usize = 256 << 10;
pub const MAX_LINKS: usize = 64;
pub const MAX_LINK_MEMORY: usize = 8 << 20;

/// Most private memory that links may cost the server, in bytes: each has two lanes that come in,
/// with one message whole and one in parts, and two that go out, with a queue and one message
/// beyond.
pub const BUDGET: usize = MAX_LINKS * 2 * (2 * MAX_MESSAGE + MAX_QUEUED + MAX_MESSAGE);

/// The server's state.
#[derive(Debug, Default)]
pub struct Keeper {
    rows: HashMap<u64, Row>,
    calls: Option<SyncSender<Peer<RichEvent>>>,
}

#[derive(Debug)]
struct Row {
    told: u64,
    next: u64,
    orderly: bool,
}

impl Default for Row {
    fn default() -> Self {
        Self { told: 0, next: 0, orderly: true }
    }
}

impl RichHandler for Keeper {
    fn told(&mut self, cx: &Context<Rich>, number: u64) {
        let row = self.rows.entry(cx.peer().id()).or_default();
        row.orderly &= number == row.told;
        row.told += 1;
    }

    fn next(&mut self, cx: &Context<Rich>, number: u64) -> (u64, bool) {
        let row = self.rows.entry(cx.peer().id()).or_default();
        row.orderly &= number == row.next;
        row.next += 1;
        (row.told, row.orderly)
    }

    fn echo(&mut self, _cx: &Context<Rich>, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn put(&mut self, _cx: &Context<Rich>, value: Value) -> Value {
        value
    }

    fn fill(&mut self, _cx: &Context<Rich>, size: u64) -> Vec<u8> {
        // So that the reply is no larger than a message.
        vec![9; usize::try_from(size).unwrap_or(MAX_MESSAGE).min(MAX_MESSAGE - 64)]
    }

    fn events(&mut self, cx: &Context<Rich>, count: u32, size: u32) {
        let event = RichEvent::Bytes { bytes: vec![8; (size as usize).min(MAX_MESSAGE)] };
        for _ in 0..count.min(1_000) {
            if cx.peer().send(&event).is_err() {
                break;
            }
        }
    }

    fn call_me(&mut self, cx: &Context<Rich>) {
        if let Some(calls) = &self.calls {
            // Full: enough are being called.
            let _ = calls.try_send(cx.peer().clone());
        }
    }

    fn peer_departed(&mut self, cx: &Context<Rich>, _departure: &Departure) {
        self.rows.remove(&cx.peer().id());
    }
}

/// Serves until its input ends.
///
/// # Errors
/// The name cannot be bound, or the listener panicked.
pub fn run(name: &str) -> Result<(), Box<dyn Error>> {
    let (calls, wanted) = sync_channel(16);
    thread::spawn(move || call_them(&wanted));
    let server = Server::<Rich>::builder(name)
        .ring_size(RING)
        .max_message(MAX_MESSAGE)
        .max_queued(MAX_QUEUED)
        .max_links(MAX_LINKS)
        .max_link_memory(MAX_LINK_MEMORY)
        .deadline(Duration::from_millis(50))
        .bind()?;
    let running = server.serve(Keeper { calls: Some(calls), ..Keeper::default() })?;
    println!("ready");
    let handle = running.handle();
    thread::spawn(move || {
        let _ = std::io::copy(&mut stdin(), &mut std::io::sink());
        handle.stop();
    });
    running.join()?;
    // Nobody may listen any more.
    let _ = writeln!(std::io::stdout(), "null");
    Ok(())
}

/// Calls whoever asked for it, who may never answer or answer anything.
fn call_them(wanted: &Receiver<Peer<RichEvent>>) {
    while let Ok(peer) = wanted.recv() {
        // Every outcome is an answer; what counts is that there is one.
        let _ = peer.double(21);
    }
}
