//! What victims and survivors do until one of them is gone.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use serde_bytes::ByteBuf;
use shmipc::{CallError, Client, Context, Departure, Outcome, Peer, SendError};

use crate::ledger::{Ledger, TOLD_MAY_HAVE_RUN, TOLD_NOT_STARTED, TOLD_REPLY, now};
use crate::protocol::{
    Down, DownClient, DownHandler, Up, UpClient, any_length, is_pattern, pattern,
};

/// Far longer than any wait may last when a peer was killed: who runs into it is hung.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Why somebody stopped talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Said all, or was told to stop.
    Done,
    /// The peer is gone.
    Gone,
}

/// One side's view of a trial.
#[derive(Clone, Copy)]
pub(crate) struct Talker {
    pub(crate) ledger: &'static Ledger,
    /// Whether this process is to outlive the trial: then what it was told counts.
    pub(crate) survives: bool,
}

impl Talker {
    /// Runs a call on record.
    pub(crate) fn ask(
        &self,
        random: &mut fastrand::Rng,
        call: impl FnOnce(u32, ByteBuf) -> Result<ByteBuf, CallError>,
    ) -> End {
        let Some((number, ticket)) = self.ledger.new_ticket() else { return End::Done };
        let length = any_length(random);
        let bytes = pattern(number, 0, length);
        self.wait(true);
        let answer = call(number, bytes);
        let (told, end) = match &answer {
            Ok(reply) => {
                self.ledger.check(reply.len() == length && is_pattern(number, 0, reply));
                (TOLD_REPLY, End::Done)
            }
            Err(error) => (told(error.outcome()), self.gone(departure(error), error)),
        };
        if self.survives {
            ticket.told.store(told, SeqCst);
        }
        self.wait(false);
        end
    }

    fn wait(&self, begins: bool) {
        if self.survives && begins {
            self.ledger.waiting.fetch_add(1, SeqCst);
        } else if self.survives {
            self.ledger.waiting.fetch_sub(1, SeqCst);
        }
    }

    /// Judges how a peer went.
    fn gone(&self, departure: Option<&Departure>, error: &dyn std::fmt::Display) -> End {
        match departure {
            Some(Departure::Died | Departure::Closed | Departure::ServerStopped) => {
                self.ledger.notice();
            }
            Some(Departure::ClosedHere) => {}
            Some(_) => self.fault(&self.ledger.damaged, error),
            // The longest deadline passed, or an error that nobody can have caused.
            None => self.fault(&self.ledger.wrong_outcome, error),
        }
        End::Gone
    }

    fn fault(&self, count: &std::sync::atomic::AtomicU64, error: &dyn std::fmt::Display) {
        if self.survives {
            count.fetch_add(1, SeqCst);
        }
        eprintln!("crash-sweep: unexpected: {error}");
    }
}

fn told(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::NotStarted => TOLD_NOT_STARTED,
        Outcome::MayHaveRun | Outcome::Ran => TOLD_MAY_HAVE_RUN,
    }
}

fn departure(error: &CallError) -> Option<&Departure> {
    match error {
        CallError::PeerGone { departure, .. } => Some(departure),
        CallError::NotSent(SendError::Closed) => Some(&Departure::ClosedHere),
        _ => None,
    }
}

/// What one client does.
pub(crate) struct Conversation<'a> {
    pub(crate) talker: Talker,
    pub(crate) client: &'a Client<Up>,
    /// Things to do for each thread.
    pub(crate) length: u32,
    /// Whether some calls do not wait for their answers.
    pub(crate) dawdles: bool,
}

impl Conversation<'_> {
    /// Talks from three threads: one sends notices, two call.
    pub(crate) fn hold(&self, random: &mut fastrand::Rng) -> End {
        if let Err(error) = self.client.begin() {
            return self.send_failed(&error);
        }
        let mut fork = || random.fork();
        let (mut first, mut second, mut third) = (fork(), fork(), fork());
        thread::scope(|scope| {
            let callers = [
                scope.spawn(move || self.call(&mut first)),
                scope.spawn(move || self.call(&mut second)),
            ];
            let sent = self.send(&mut third);
            let ends = callers.map(|caller| caller.join().unwrap_or(End::Gone));
            if sent == End::Gone || ends.contains(&End::Gone) { End::Gone } else { End::Done }
        })
    }

    fn is_through(&self) -> bool {
        self.talker.survives && self.talker.ledger.is_over()
    }

    fn call(&self, random: &mut fastrand::Rng) -> End {
        for _ in 0..self.length {
            if self.is_through() {
                break;
            }
            rest(random);
            if self.dawdles && random.u32(0..4) == 0 {
                // Ends by its deadline; its answer comes later and must be got rid of.
                let hasty = self.client.with_deadline(Duration::from_micros(100));
                drop(hasty.dawdle(1_500));
            }
            let end = self.talker.ask(random, |number, bytes| self.client.ask(number, bytes));
            if end == End::Gone {
                return end;
            }
        }
        End::Done
    }

    fn send(&self, random: &mut fastrand::Rng) -> End {
        let Some((number, stream)) = self.talker.ledger.new_stream(true) else { return End::Done };
        for sequence in 0..u64::from(self.length) * 2 {
            if self.is_through() {
                break;
            }
            rest(random);
            let bytes = pattern(number, sequence, any_length(random));
            stream.attempted.store(sequence + 1, SeqCst);
            if let Err(error) = self.client.numbered(number, sequence, bytes) {
                return self.send_failed(&error);
            }
            stream.sent.store(sequence + 1, SeqCst);
        }
        End::Done
    }

    fn send_failed(&self, error: &SendError) -> End {
        match error {
            SendError::PeerGone { departure, .. } => self.talker.gone(Some(departure), error),
            SendError::Closed => End::Gone,
            other => self.talker.gone(None, other),
        }
    }
}

/// Now and then long enough for the other side to fall asleep.
fn rest(random: &mut fastrand::Rng) {
    if random.u32(0..6) == 0 {
        thread::sleep(Duration::from_micros(random.u64(20..300)));
    }
}

/// A client's answers to its server.
pub(crate) struct Answers(pub(crate) Talker);

impl DownHandler for Answers {
    fn numbered(&mut self, _cx: &Context<Down>, stream: u32, sequence: u64, bytes: ByteBuf) {
        self.0.ledger.receive(stream, sequence, is_pattern(stream, sequence, &bytes));
    }

    fn ask(&mut self, _cx: &Context<Down>, ticket: u32, bytes: ByteBuf) -> ByteBuf {
        self.0.ledger.run(ticket, is_pattern(ticket, 0, &bytes));
        bytes
    }

    fn peer_departed(&mut self, _cx: &Context<Down>, departure: &Departure) {
        if *departure != Departure::ClosedHere {
            self.0.ledger.notice();
        }
    }
}

/// A server's own events and requests to one client, until it is gone.
pub(crate) fn talk_down(talker: Talker, peer: &Peer<Down>) {
    let Some((number, stream)) = talker.ledger.new_stream(false) else { return };
    let mut random = fastrand::Rng::with_seed(now());
    let mut sequence = 0;
    while peer.is_connected() {
        let bytes = pattern(number, sequence, any_length(&mut random));
        stream.attempted.store(sequence + 1, SeqCst);
        match peer.try_send(&Down::Numbered { stream: number, sequence, bytes }) {
            Ok(()) => sequence += 1,
            Err(SendError::Overflow { .. }) => thread::sleep(Duration::from_micros(100)),
            Err(SendError::PeerGone { departure, .. }) => {
                talker.gone(Some(&departure), &departure);
                return;
            }
            Err(_) => return,
        }
        let peer = peer.with_deadline(DEADLINE);
        if talker.ask(&mut random, |number, bytes| peer.ask(number, bytes)) == End::Gone {
            return;
        }
        thread::sleep(Duration::from_micros(random.u64(50..400)));
    }
}
