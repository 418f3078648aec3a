//! The hidden roles in which the conductor starts this very program again.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use shmipc::{Client, ConnectError, Departure};

use crate::ledger::{self, Ledger};
use crate::protocol::{Down, Up, UpClient};
use crate::station::{self, Manner, Station};
use crate::traffic::{Answers, Conversation, DEADLINE, Talker};

/// How long a client looks for a server: one that is not there "at once" is a fault.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Longest round trip of a bystander that counts as undisturbed.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// Who to be.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Serves until its input ends, or dies before.
    #[command(hide = true)]
    Serve(ServeRole),
    /// Connects, talks and closes, again and again, until it dies.
    #[command(hide = true)]
    Victim(VictimRole),
    /// Talks to whoever serves the name, a round for each line of input, and outlives the server.
    #[command(hide = true)]
    Worker(CommonRole),
    /// Talks without end and must never notice anything.
    #[command(hide = true)]
    Bystander(CommonRole),
}

/// What every role is told.
#[derive(Debug, Args)]
pub(crate) struct CommonRole {
    #[arg(long)]
    name: String,
    /// The ledger's descriptor.
    #[arg(long)]
    ledger: i32,
}

/// Where to die.
#[derive(Debug, Args)]
pub(crate) struct Fate {
    #[arg(long)]
    step: Option<String>,
    #[arg(long, default_value_t = 1)]
    nth: u32,
}

/// A server.
#[derive(Debug, Args)]
pub(crate) struct ServeRole {
    #[command(flatten)]
    common: CommonRole,
    #[command(flatten)]
    fate: Fate,
    #[arg(long)]
    event: bool,
    #[arg(long)]
    ring: usize,
    #[arg(long)]
    spins: bool,
    /// Whether it is to outlive the trials.
    #[arg(long)]
    survives: bool,
    /// Stop in an orderly way after so long, in microseconds.
    #[arg(long)]
    stop_after: Option<u64>,
}

/// A client that is to die.
#[derive(Debug, Args)]
pub(crate) struct VictimRole {
    #[command(flatten)]
    common: CommonRole,
    #[command(flatten)]
    fate: Fate,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    spins: bool,
    #[arg(long)]
    dawdles: bool,
}

impl Role {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(role) => role.run(),
            Self::Victim(role) => role.run(),
            Self::Worker(common) => work(&common),
            Self::Bystander(common) => stand_by(&common),
        }
    }
}

impl Fate {
    fn arm(&self) -> anyhow::Result<()> {
        if let Some(step) = &self.step
            && !shmipc::step::arm(step, self.nth, ledger::last_words)
        {
            bail!("there is no step {step:?}");
        }
        Ok(())
    }
}

/// Says something to the conductor.
fn say(what: &str) {
    let mut out = stdout().lock();
    // A conductor that is gone needs no answer; this process ends with its input.
    drop(writeln!(out, "{what}").and_then(|()| out.flush()));
}

impl ServeRole {
    fn run(self) -> anyhow::Result<()> {
        let ledger = ledger::open(self.common.ledger)?;
        self.fate.arm()?;
        let manner = Manner { event: self.event, ring: self.ring, spins: self.spins };
        let talker = Talker { ledger, survives: self.survives };
        let server = station::bind(&self.common.name, manner)?.serve(Station::new(talker))?;
        say("ready");
        let handle = server.handle();
        if let Some(micros) = self.stop_after {
            thread::sleep(Duration::from_micros(micros));
            handle.stop();
        } else {
            thread::spawn(move || {
                drop(stdin().lock().lines().last());
                handle.stop();
            });
        }
        server.join()?;
        Ok(())
    }
}

/// Connects with a handler of events.
pub(crate) fn connect(
    name: &str,
    talker: Talker,
    spins: bool,
) -> Result<(Client<Up>, Duration), ConnectError> {
    let started = Instant::now();
    let mut builder = Client::<Up>::builder(name)
        .connect_deadline(CONNECT_DEADLINE)
        .deadline(DEADLINE)
        .serve_events(Answers(talker));
    if !spins {
        builder = builder.spin(Duration::ZERO);
    }
    Ok((builder.connect()?, started.elapsed()))
}

impl VictimRole {
    fn run(self) -> anyhow::Result<()> {
        let ledger = ledger::open(self.common.ledger)?;
        ledger.victim.store(u64::from(std::process::id()), SeqCst);
        self.fate.arm()?;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let talker = Talker { ledger, survives: false };
        loop {
            let (client, _) = connect(&self.common.name, talker, self.spins)?;
            let length = random.u32(3..40);
            let conversation =
                Conversation { talker, client: &client, length, dawdles: self.dawdles };
            conversation.hold(&mut random);
        }
    }
}

/// A round: connect, talk until the server is gone, connect to its successor.
fn work(common: &CommonRole) -> anyhow::Result<()> {
    let ledger = ledger::open(common.ledger)?;
    let talker = Talker { ledger, survives: true };
    for line in stdin().lock().lines() {
        let seed: u64 = line?.trim().parse().context("a seed")?;
        match round(&common.name, talker, seed) {
            Ok(()) => say("done"),
            Err(error) => say(&format!("{error:#}").replace('\n', " ")),
        }
    }
    Ok(())
}

fn round(name: &str, talker: Talker, seed: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let spins = random.bool();
    {
        let (client, _) = connect(name, talker, spins).context("connect to the victim")?;
        let conversation =
            Conversation { talker, client: &client, length: 100_000, dawdles: false };
        conversation.hold(&mut random);
    }
    // The victim may not have been dead long enough for anybody else to know.
    let (client, _) = connect(name, talker, spins).context("connect to the successor")?;
    client.tick(0).context("call the successor")?;
    Ok(())
}

/// Notices nothing, or counts what it noticed.
fn stand_by(common: &CommonRole) -> anyhow::Result<()> {
    let ledger = ledger::open(common.ledger)?;
    thread::spawn(move || {
        drop(stdin().lock().lines().last());
        std::process::exit(0);
    });
    loop {
        let error = match stand(&common.name, ledger) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        eprintln!("crash-sweep: a bystander was disturbed: {error:#}");
        ledger.disturbed.fetch_add(1, SeqCst);
        thread::sleep(Duration::from_millis(10));
    }
}

fn stand(name: &str, ledger: &'static Ledger) -> anyhow::Result<std::convert::Infallible> {
    let client = Client::<Up>::builder(name)
        .deadline(DEADLINE)
        .on_event(|_: Down| {})
        .on_departure(move |departure: &Departure| {
            eprintln!("crash-sweep: a bystander was left: {departure}");
            ledger.disturbed.fetch_add(1, SeqCst);
        })
        .connect()?;
    for sequence in 0.. {
        let (started, stall) = (Instant::now(), ledger.stall());
        let expected = client.tick(sequence)?;
        let waited = started.elapsed().saturating_sub(ledger.stall() - stall);
        if expected != sequence {
            bail!("message {sequence} came where {expected} was expected");
        }
        if waited > UNDISTURBED {
            bail!("a round trip took {waited:?}");
        }
        if sequence == 0 {
            say("standing");
        }
        thread::sleep(Duration::from_millis(2));
    }
    bail!("numbers ran out")
}
