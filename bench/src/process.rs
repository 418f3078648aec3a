//! One process of a measurement.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_kit::{Plan, Sample};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;

/// How long a process may take to end once it was asked to.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// The process groups that run now, for [`interrupt`].
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends everything that runs: whoever waits for it gets an error, and cleans up.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    for group in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
}

/// Has the user had enough?
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// What a process says, apart from `ready`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Sample(Sample),
    Error(String),
}

/// A process, in a group of its own; the group is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    group: i32,
}

impl Group {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.process_group(0).spawn();
        let child = child.with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let group = i32::try_from(child.id()).context("a process id beyond an i32")?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(group);
        if is_interrupted() {
            // It may have come between the interruption's list and its end.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        Ok(Self { child, group })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the process itself; `None`: it still runs then.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<bool> {
        let started = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status.success()),
                Err(_) => return Some(false),
                Ok(None) if started.elapsed() > patience => return None,
                Ok(None) => thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Both fail only where nothing is left.
        let _ = killpg(Pid::from_raw(self.group), Signal::SIGKILL);
        let _ = self.child.wait();
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|group| *group != self.group);
    }
}

/// One side of a measurement.
#[derive(Debug)]
pub(crate) struct Side {
    group: Group,
    what: String,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: PathBuf,
}

impl Side {
    /// Starts `program` with `plan`.
    pub(crate) fn start(program: &Path, plan: &Plan, what: &str) -> Result<Self> {
        let errors = plan.file(&format!("stderr-{what}"));
        let mut group = Group::spawn(
            Command::new(program)
                .arg(serde_json::to_string(plan)?)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(File::create(&errors).context("cannot keep what it says")?),
        )?;
        let input = group.child().stdin.take();
        let output = group.child().stdout.take().context("no output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.is_ok_and(|line| sender.send(line).is_ok()) {
                    continue;
                }
                break;
            }
        });
        Ok(Self { group, what: what.into(), input, lines, errors })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.group.group
    }

    fn line(&mut self, patience: Duration) -> Result<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the {} hangs: no word for {patience:.1?}", self.what)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let ended = match self.group.wait(END_PATIENCE) {
                    Some(true) => "ended before it was asked to",
                    Some(false) => "crashed",
                    None => "fell silent",
                };
                bail!("the {} {ended}{}", self.what, self.last_words())
            }
        }
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        // A panic's message stands after the line that names its place.
        let panic = lines.iter().position(|line| line.contains("panicked at"));
        let telling = panic.map_or(lines.last(), |place| lines.get(place + 1));
        telling.map_or_else(String::new, |line| format!(": {}", line.trim()))
    }

    /// Waits until it is ready.
    pub(crate) fn ready(&mut self, patience: Duration) -> Result<()> {
        let line = self.line(patience)?;
        if line == "ready" { Ok(()) } else { Err(self.unexpected(&line)) }
    }

    fn unexpected(&self, line: &str) -> anyhow::Error {
        match serde_json::from_str(line) {
            Ok(Answer::Error(error)) => anyhow::anyhow!(error),
            _ => anyhow::anyhow!("the {} said {line:?}", self.what),
        }
    }

    /// An error that it has told and nobody has read yet.
    pub(crate) fn complaint(&mut self) -> Option<anyhow::Error> {
        let line = self.lines.recv_timeout(Duration::from_millis(50)).ok()?;
        Some(self.unexpected(&line))
    }

    /// Tells it to begin.
    pub(crate) fn go(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        input.write_all(b"go\n").with_context(|| format!("the {} is gone", self.what))
    }

    /// Waits for what it measured.
    pub(crate) fn sample(&mut self, patience: Duration) -> Result<Sample> {
        let line = self.line(patience)?;
        match serde_json::from_str(&line) {
            Ok(Answer::Sample(sample)) => Ok(sample),
            _ => Err(self.unexpected(&line)),
        }
    }

    /// Asks it to end; `false`: it had to be killed.
    pub(crate) fn end(mut self) -> bool {
        self.input = None;
        self.group.wait(END_PATIENCE).is_some()
    }
}
