//! Clients that do everything right, and check that everything comes right.

use std::error::Error;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{CallError, Client, Context, SendError};
use shmipc_tests::protocol::pattern;

use crate::protocol::{Random, Report, Row, Soak, SoakClient, SoakEvent, SoakEventHandler};

/// Long enough for whatever is alive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The events as they came.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Row>>);

impl Events {
    fn row(&self) -> MutexGuard<'_, Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SoakEventHandler for Events {
    fn tick(&mut self, _cx: &Context<SoakEvent>, number: u64, bytes: Vec<u8>) {
        self.row().take(number, &bytes);
    }

    fn double(&mut self, _cx: &Context<SoakEvent>, value: u64) -> u64 {
        value * 2
    }

    fn messages_missed(&mut self, _cx: &Context<SoakEvent>, count: u64) {
        self.row().miss(count);
    }
}

/// Why a client cannot go on with its link.
enum Broken {
    /// The server is gone, which the steady one never is.
    Gone,
    Fault(String),
}

impl From<SendError> for Broken {
    fn from(error: SendError) -> Self {
        match error {
            SendError::PeerGone { .. } => Self::Gone,
            other => Self::Fault(other.to_string()),
        }
    }
}

impl From<CallError> for Broken {
    fn from(error: CallError) -> Self {
        if error.is_peer_gone() { Self::Gone } else { Self::Fault(error.to_string()) }
    }
}

/// One link and what went over it.
struct Talk {
    client: Client<Soak>,
    events: Events,
    sent: u64,
}

impl Talk {
    fn connect(name: &str) -> Result<Self, Box<dyn Error>> {
        let events = Events::default();
        let client = Client::<Soak>::builder(name)
            .connect_deadline(PATIENCE)
            .deadline(PATIENCE)
            .serve_events(events.clone())
            .connect()?;
        Ok(Self { client, events, sent: 0 })
    }

    /// Says something, whatever it is.
    fn say(&mut self, random: &mut Random, report: &mut Report) -> Result<(), Broken> {
        match random.below(100) {
            0..60 => {
                for _ in 0..random.below(50) {
                    let bytes = pattern(random.size());
                    self.client.note(self.sent, bytes)?;
                    self.sent += 1;
                    report.notes += 1;
                }
            }
            60..85 => {
                let bytes = pattern(random.size());
                let echo = self.client.echo(bytes.clone())?;
                report.damaged += u64::from(echo != bytes);
                report.calls += 1;
            }
            85..92 => {
                let value = random.below(1 << 40);
                let doubled = self.client.ask_back(value)?;
                // No answer in time is no fault on a busy machine; a wrong one is.
                report.damaged += u64::from(doubled != value * 2 && doubled != u64::MAX);
                report.called_back += 1;
                report.not_called_back += u64::from(doubled == u64::MAX);
                report.calls += 1;
            }
            _ => self.check(report)?,
        }
        Ok(())
    }

    /// Did all notes come?
    fn check(&self, report: &mut Report) -> Result<(), Broken> {
        let row = self.client.notes()?;
        report.calls += 1;
        let next = row.next.unwrap_or(0);
        if !row.is_whole() || row.missed != 0 || next != self.sent || row.came != self.sent {
            return Err(Broken::Fault(format!("{} notes were sent, {row:?} came", self.sent)));
        }
        Ok(())
    }

    /// Waits until all events came that there are by now.
    fn catch_up(&self, report: &mut Report) -> Result<(), Broken> {
        let last = self.client.next_event()?;
        let started = Instant::now();
        while self.events.row().next.is_some_and(|next| next < last) {
            if started.elapsed() > PATIENCE {
                return Err(Broken::Fault(format!("{:?}, of {last} events", self.events.row())));
            }
            thread::sleep(Duration::from_millis(5));
        }
        (_, report.visitors, report.sent_away) = self.client.visitors()?;
        Ok(())
    }

    fn end(self, report: &mut Report) {
        let Self { client, events, .. } = self;
        drop(client);
        let row = events.row();
        report.events += row.came;
        report.missed += row.missed;
        report.add_faults(&row);
    }
}

/// Talks until its input ends. At the line "pause" it checks, says how things stand, and waits for
/// another line. `lives_on`: the server may die, and the client then looks for the next.
pub(crate) fn talk(name: &str, lives_on: bool, seed: u64) -> Result<(), Box<dyn Error>> {
    let lines = lines();
    let mut random = Random::new(seed);
    let mut report = Report::default();
    // Asked to pause; a link that breaks then does not undo that.
    let mut pausing = false;
    loop {
        let mut talk = Talk::connect(name)?;
        if report.links == 0 {
            println!("ready");
        }
        report.links += 1;
        let ended = talk_on(&mut talk, &lines, &mut pausing, &mut random, &mut report);
        talk.end(&mut report);
        match ended {
            Ok(()) => return Ok(()),
            Err(Broken::Gone) if lives_on => {}
            Err(Broken::Gone) => return Err("the steady server is gone".into()),
            Err(Broken::Fault(what)) => {
                eprintln!("soak: {what}");
                report.failed += 1;
            }
        }
    }
}

fn talk_on(
    talk: &mut Talk,
    lines: &Receiver<String>,
    pausing: &mut bool,
    random: &mut Random,
    report: &mut Report,
) -> Result<(), Broken> {
    loop {
        match lines.try_recv() {
            Ok(_) => *pausing = true,
            Err(mpsc::TryRecvError::Empty) if !*pausing => talk.say(random, report)?,
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
        }
        if *pausing {
            talk.check(report)?;
            talk.catch_up(report)?;
            tell(talk, report);
            *pausing = false;
            if lines.recv().is_err() {
                return Ok(());
            }
        }
    }
}

/// The report with what is not in it yet: the events of the link that is up.
fn tell(talk: &Talk, report: &Report) {
    let mut told = *report;
    let row = *talk.events.row();
    told.events += row.came;
    told.missed += row.missed;
    told.add_faults(&row);
    match serde_json::to_string(&told) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("soak: {error}"),
    }
}

/// The lines of the input; the channel ends with it.
fn lines() -> Receiver<String> {
    let (told, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if told.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
