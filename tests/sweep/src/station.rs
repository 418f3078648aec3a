//! A server of the sweep: the steady ones, the victims, and their successors.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use serde_bytes::ByteBuf;
use shmipc::{BindError, Context, Departure, Doorbell, Server};

use crate::protocol::{Up, UpHandler, is_pattern};
use crate::traffic::{DEADLINE, Talker, talk_down};

/// How a server is built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) event: bool,
    pub(crate) ring: usize,
    pub(crate) spins: bool,
}

/// Takes a name.
pub(crate) fn bind(name: &str, manner: Manner) -> Result<Server<Up>, BindError> {
    let mut builder = Server::<Up>::builder(name)
        .ring_size(manner.ring)
        .deadline(DEADLINE)
        .doorbell(if manner.event { Doorbell::Event } else { Doorbell::Futex });
    if !manner.spins {
        builder = builder.spin(Duration::ZERO);
    }
    builder.bind()
}

/// The handler.
pub(crate) struct Station {
    talker: Talker,
    ticks: HashMap<u64, u64>,
}

impl Station {
    pub(crate) fn new(talker: Talker) -> Self {
        Self { talker, ticks: HashMap::new() }
    }

    fn is_victim(&self, cx: &Context<Up>) -> bool {
        u64::from(cx.peer().pid()) == self.talker.ledger.victim.load(SeqCst)
    }
}

impl UpHandler for Station {
    fn begin(&mut self, cx: &Context<Up>) {
        let (talker, peer) = (self.talker, cx.peer().clone());
        thread::spawn(move || talk_down(talker, &peer));
    }

    fn numbered(&mut self, _cx: &Context<Up>, stream: u32, sequence: u64, bytes: ByteBuf) {
        self.talker.ledger.receive(stream, sequence, is_pattern(stream, sequence, &bytes));
    }

    fn ask(&mut self, _cx: &Context<Up>, ticket: u32, bytes: ByteBuf) -> ByteBuf {
        self.talker.ledger.run(ticket, is_pattern(ticket, 0, &bytes));
        bytes
    }

    fn dawdle(&mut self, _cx: &Context<Up>, micros: u64) {
        thread::sleep(Duration::from_micros(micros));
    }

    fn tick(&mut self, cx: &Context<Up>, sequence: u64) -> u64 {
        let expected = self.ticks.entry(cx.peer().id()).or_default();
        std::mem::replace(expected, sequence + 1)
    }

    fn peer_arrived(&mut self, cx: &Context<Up>) {
        if self.is_victim(cx) {
            self.talker.ledger.arrived.fetch_add(1, SeqCst);
        }
    }

    fn peer_departed(&mut self, cx: &Context<Up>, departure: &Departure) {
        self.ticks.remove(&cx.peer().id());
        if self.is_victim(cx) {
            if *departure != Departure::ClosedHere {
                self.talker.ledger.notice();
            }
            if matches!(departure, Departure::Violation(_) | Departure::AccusedUs(_)) {
                eprintln!("crash-sweep: unexpected: {departure}");
                self.talker.ledger.damaged.fetch_add(1, SeqCst);
            }
            self.talker.ledger.departed.fetch_add(1, SeqCst);
        }
    }
}
