//! One process of a measurement, and how it talks to the runner: its plan is its argument; it says
//! `ready`, is told `go`, and says what it measured. When its input ends, so does it.

use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use serde::Serialize;

use crate::{Plan, Rival, Role, Sample, Workload, measure};

/// How long a side may take to clean up once it has been told to end.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The end of a side: it comes when the runner closes the side's input.
#[derive(Debug, Clone, Default)]
pub struct End(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    come: AtomicBool,
    heeded: AtomicBool,
    lines: Mutex<u64>,
    news: Condvar,
}

impl End {
    /// Has it come? Who asks in time is expected to return, and given a moment to clean up.
    #[inline]
    #[must_use]
    pub fn has_come(&self) -> bool {
        if !self.0.heeded.load(Ordering::Relaxed) {
            self.0.heeded.store(true, Ordering::SeqCst);
        }
        self.0.come.load(Ordering::Relaxed)
    }

    /// Tells the runner that clients may come.
    ///
    /// # Errors
    /// The runner is gone.
    pub fn ready(&self) -> Result<()> {
        say("ready")
    }

    /// Waits for the end.
    pub fn wait(&self) {
        self.0.heeded.store(true, Ordering::SeqCst);
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.0.come.load(Ordering::SeqCst) {
            lines = self.0.news.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a line from the runner; `false`: the end came instead.
    fn wait_line(&self) -> bool {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while *lines == 0 {
            if self.0.come.load(Ordering::SeqCst) {
                return false;
            }
            lines = self.0.news.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        *lines -= 1;
        true
    }

    /// Reads the input, on a thread of its own.
    fn watch(&self) -> Result<()> {
        let inner = self.0.clone();
        let watch = move || {
            for line in stdin().lock().lines() {
                if line.is_err() {
                    break;
                }
                *inner.lines.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                inner.news.notify_all();
            }
            {
                let _lines = inner.lines.lock().unwrap_or_else(PoisonError::into_inner);
                inner.come.store(true, Ordering::SeqCst);
            }
            inner.news.notify_all();
            if inner.heeded.load(Ordering::SeqCst) {
                thread::sleep(END_PATIENCE);
            }
            std::process::exit(0);
        };
        thread::Builder::new().name("end".into()).spawn(watch).context("start a thread")?;
        Ok(())
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush().context("the runner is gone")
}

/// What a side answers at the end.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Sample(Sample),
    Error(String),
}

/// The program of a rival: finds the rival that its plan names and lets `run` take that side.
pub fn main(run: impl FnOnce(&Plan) -> Result<()>) -> ExitCode {
    match std::env::args().nth(1).as_deref().map(parse) {
        Some(Ok(plan)) => dispatch(&plan, run),
        Some(Err(error)) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("bench: this is one side of a measurement; run the `bench` program instead");
            ExitCode::FAILURE
        }
    }
}

fn parse(argument: &str) -> Result<Plan> {
    serde_json::from_str(argument).context("this is no plan")
}

/// Takes a side of a measurement; `run` calls [`Plan::take`] with the rival that is meant.
pub fn dispatch(plan: &Plan, run: impl FnOnce(&Plan) -> Result<()>) -> ExitCode {
    match run(plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let answer = serde_json::to_string(&Answer::Error(format!("{error:#}")));
            // Without a runner there is nobody to tell.
            let _ = say(&answer.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    /// Takes this plan's side with this rival.
    ///
    /// # Errors
    /// The rival's, or the runner is gone.
    pub fn take<R: Rival>(&self, rival: &R) -> Result<()> {
        self.prepare()?;
        let end = End::default();
        end.watch()?;
        match self.role {
            Role::Server => rival.serve(self, &end).context("server"),
            Role::Client(_) => self.take_client(rival, &end).context("client"),
            Role::Bystander(links) => self.stand_by(rival, &end, links).context("idle links"),
        }
    }

    fn prepare(&self) -> Result<()> {
        let mut set = CpuSet::new();
        for core in &self.cores {
            set.set(*core).context("no such core")?;
        }
        sched_setaffinity(Pid::from_raw(0), &set).context("cannot pin to a core")?;
        // Hundreds of links may need many descriptors.
        if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
        Ok(())
    }

    fn take_client<R: Rival>(&self, rival: &R, end: &End) -> Result<()> {
        let mut link = rival.connect(self)?;
        measure::warm_up(&mut link, self)?;
        end.ready()?;
        if !end.wait_line() {
            return Ok(());
        }
        if self.workload == Workload::Idle {
            end.wait();
            return Ok(());
        }
        let sample = measure::measure(rival, link, self)?;
        say(&serde_json::to_string(&Answer::Sample(sample))?)
    }

    fn stand_by<R: Rival>(&self, rival: &R, end: &End, count: usize) -> Result<()> {
        use crate::Link;
        let mut links = Vec::with_capacity(count);
        for number in 0..count {
            let mut link = rival.connect(self).with_context(|| format!("link {number}"))?;
            link.round_trip(number as u64, crate::text(number as u64))?;
            links.push(link);
        }
        if links.len() != count {
            bail!("{} of {count} links", links.len());
        }
        end.ready()?;
        end.wait();
        Ok(())
    }
}
