//! The tests' server.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use shmipc::{Context, Departure};

use crate::protocol::{Borrowed, BorrowedHandler, Probe, ProbeEvent, ProbeHandler, pattern};

/// Handles [`Probe`].
#[derive(Debug, Default)]
pub struct Prober {
    /// By client and thread: the next number expected; by client: count and disorder.
    next: HashMap<(u64, u32), u64>,
    numbers: HashMap<u64, (u64, u64)>,
    bytes: HashMap<u64, (u64, u32)>,
    arrivals: u64,
    departures: Vec<String>,
    lasts: Vec<(u64, u64, u64, u32)>,
    /// Where `Slow` writes its tickets: outside of both processes.
    count_file: Option<PathBuf>,
}

impl Prober {
    /// A handler whose `Slow` writes its tickets to this file.
    #[must_use]
    pub fn counting(count_file: PathBuf) -> Self {
        Self { count_file: Some(count_file), ..Self::default() }
    }

    fn record(&self, ticket: u64) {
        if let Some(path) = &self.count_file {
            let file = OpenOptions::new().append(true).create(true).open(path);
            let written = file.and_then(|mut file| writeln!(file, "{ticket}"));
            if let Err(error) = written {
                eprintln!("count file: {error}");
            }
        }
    }
}

/// FNV-1a, to compare what came with what was sent.
#[must_use]
pub fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(seed ^ 0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[allow(clippy::panic, reason = "some variants ask for one")]
impl ProbeHandler for Prober {
    fn number(&mut self, cx: &Context<Probe>, thread: u32, number: u64) {
        let peer = cx.peer().id();
        let next = self.next.entry((peer, thread)).or_default();
        let (count, disorder) = self.numbers.entry(peer).or_default();
        *count += 1;
        *disorder += u64::from(number != *next);
        *next = number + 1;
    }

    fn numbers(&mut self, cx: &Context<Probe>) -> (u64, u64) {
        self.numbers.get(&cx.peer().id()).copied().unwrap_or_default()
    }

    fn echo(&mut self, _cx: &Context<Probe>, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn bytes(&mut self, cx: &Context<Probe>, bytes: Vec<u8>) {
        let (count, sum) = self.bytes.entry(cx.peer().id()).or_default();
        *count += bytes.len() as u64;
        *sum = checksum(*sum, &bytes);
    }

    fn bytes_sum(&mut self, cx: &Context<Probe>) -> (u64, u32) {
        self.bytes.get(&cx.peer().id()).copied().unwrap_or_default()
    }

    fn slow(&mut self, _cx: &Context<Probe>, millis: u64, ticket: u64) -> u64 {
        self.record(ticket);
        thread::sleep(Duration::from_millis(millis));
        ticket
    }

    fn close_caller(&mut self, cx: &Context<Probe>, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
        cx.peer().close();
        thread::sleep(Duration::from_millis(millis));
    }

    fn send_events(&mut self, cx: &Context<Probe>, count: u64) {
        let peer = cx.peer().clone();
        thread::spawn(move || {
            for number in 0..count {
                // A full queue refuses; the test wants every event, so wait and send it again.
                while let Err(error) = peer.try_send(&ProbeEvent::Number { number }) {
                    if !peer.is_connected() {
                        eprintln!("events: {error}");
                        return;
                    }
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
    }

    fn broadcast(&mut self, cx: &Context<Probe>, size: u64) {
        cx.server().broadcast(&ProbeEvent::Bytes { bytes: pattern(size as usize) });
    }

    fn ask_back(&mut self, cx: &Context<Probe>, value: u64) -> u64 {
        use crate::protocol::ProbeEventClient;
        cx.peer().double(value).unwrap_or(u64::MAX)
    }

    fn send_back(&mut self, cx: &Context<Probe>, number: u64) {
        if let Err(error) = cx.peer().send(&ProbeEvent::Number { number }) {
            eprintln!("send back: {error}");
        }
    }

    fn panic(&mut self, _cx: &Context<Probe>, text: String) -> u64 {
        panic!("{text}")
    }

    fn panic_quietly(&mut self, _cx: &Context<Probe>) {
        panic!("with nobody waiting")
    }

    fn fill(&mut self, _cx: &Context<Probe>, size: u64) -> Vec<u8> {
        pattern(size as usize)
    }

    fn process_id(&mut self, _cx: &Context<Probe>) -> u32 {
        std::process::id()
    }

    fn peer_ids(&mut self, cx: &Context<Probe>) -> Vec<u64> {
        cx.server().peers().iter().map(shmipc::Peer::id).collect()
    }

    fn comings(&mut self, _cx: &Context<Probe>) -> (u64, Vec<String>) {
        (self.arrivals, self.departures.clone())
    }

    fn lasts(&mut self, _cx: &Context<Probe>) -> Vec<(u64, u64, u64, u32)> {
        self.lasts.clone()
    }

    fn stop(&mut self, cx: &Context<Probe>) {
        cx.server().stop();
    }

    fn peer_arrived(&mut self, _cx: &Context<Probe>) {
        self.arrivals += 1;
    }

    fn peer_departed(&mut self, cx: &Context<Probe>, departure: &Departure) {
        self.departures.push(departure.to_string());
        let peer = cx.peer().id();
        let (count, disorder) = self.numbers.remove(&peer).unwrap_or_default();
        let (bytes, sum) = self.bytes.remove(&peer).unwrap_or_default();
        self.lasts.push((count, disorder, bytes, sum));
        self.next.retain(|(of, _), _| *of != peer);
    }
}

/// Handles [`Borrowed`].
#[derive(Debug, Default)]
pub struct Measurer;

impl BorrowedHandler for Measurer {
    fn measure<'a>(
        &mut self,
        _cx: &Context<Borrowed<'static>>,
        name: &'a str,
        bytes: &'a [u8],
    ) -> (u64, u64) {
        (name.chars().count() as u64, bytes.iter().map(|byte| u64::from(*byte)).sum())
    }

    fn plain(&mut self, _cx: &Context<Borrowed<'static>>, value: u32) -> u32 {
        value + 1
    }
}
