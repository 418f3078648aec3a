//! The conductor: one kill after the other, and everything that must hold after each.

mod judge;
mod trial;

use std::io::IsTerminal as _;
use std::os::fd::OwnedFd;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ledger::{self, Ledger};
use crate::plan::{At, Plan, Side, entries};
use crate::post::{PATIENCE, Post, Survivor, role};
use crate::process::Process;
use crate::shm;
use crate::tally::{Fault, Tally};

/// Processes with clients of the servers that are killed.
const WORKERS: usize = 2;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) seed: u64,
    /// Trials at each step of each side.
    pub(crate) rounds: u64,
    /// Kills at random moments.
    pub(crate) moments: u64,
    /// Only this trial, so often.
    pub(crate) replay: Option<(u64, u64)>,
    /// Whether `/dev/shm` is this sweep's alone.
    pub(crate) is_private: bool,
}

/// A sweep under way.
pub(crate) struct Sweep {
    extent: Extent,
    ledger: &'static Ledger,
    descriptor: OwnedFd,
    /// The name of the servers that are killed.
    name: String,
    posts: [Post; 2],
    workers: Vec<Survivor>,
    /// Names in shared memory that may be there.
    known_names: Vec<String>,
    tally: Tally,
    bar: ProgressBar,
}

impl Sweep {
    pub(crate) fn start(extent: Extent) -> anyhow::Result<Self> {
        let (ledger, descriptor) = ledger::create()?;
        ledger.measure_stalls();
        let own = std::process::id();
        let name = format!("sweep-{own}");
        let posts = [
            Post::start(format!("{name}-futex"), false, &descriptor)?,
            Post::start(format!("{name}-event"), true, &descriptor)?,
        ];
        let mut sweep = Self {
            extent,
            ledger,
            descriptor,
            name,
            posts,
            workers: Vec::new(),
            known_names: shm::names(),
            tally: Tally::new()?,
            bar: bar(&extent),
        };
        for _ in 0..WORKERS {
            let worker = sweep.start_worker()?;
            sweep.workers.push(worker);
        }
        Ok(sweep)
    }

    fn start_worker(&self) -> anyhow::Result<Survivor> {
        Ok(Survivor::new(Process::start(&role("worker", &self.name, &self.descriptor))?))
    }

    /// Runs all trials.
    pub(crate) fn run(mut self) -> anyhow::Result<Tally> {
        let started = Instant::now();
        let Extent { seed, rounds, moments, replay, .. } = self.extent;
        if let Some((number, times)) = replay {
            for _ in 0..times {
                self.trial(&Plan::of(seed, rounds, number))?;
            }
        } else {
            for number in 0..rounds * entries().len() as u64 + moments {
                self.trial(&Plan::of(seed, rounds, number))?;
            }
            self.catch_up()?;
            self.make_up(rounds * entries().len() as u64 + moments)?;
        }
        self.bar.finish_and_clear();
        for (who, survivor) in self
            .posts
            .iter()
            .map(|post| ("a server", &post.server))
            .chain(self.workers.iter().map(|worker| ("a worker", worker)))
        {
            if let Some((before, after)) = survivor.memory() {
                eprintln!(
                    "{who} that outlived all trials: {before} KiB resident, then {after} KiB"
                );
            }
        }
        eprintln!("took {:.0?}", started.elapsed());
        self.finish()
    }

    /// Other occurrences of the steps that some trials did not reach.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        let rounds = self.extent.rounds;
        let count = entries().len() as u64;
        for round in rounds..rounds * 3 {
            for index in 0..count {
                let plan = Plan::of(self.extent.seed, u64::MAX, round * count + index);
                if self.tally.hits(plan.place(), plan.side) < rounds {
                    self.trial(&plan)?;
                }
            }
        }
        Ok(())
    }

    /// For the trials that did not count, as the machine stood still: others at random moments,
    /// from number `first` on.
    fn make_up(&mut self, first: u64) -> anyhow::Result<()> {
        let Extent { seed, rounds, moments, .. } = self.extent;
        for number in first..first + moments {
            if self.tally.kills_at_moments() >= moments {
                break;
            }
            self.trial(&Plan::of(seed, rounds, number))?;
        }
        Ok(())
    }

    /// Everybody left ends in an orderly way, and nothing is left.
    fn finish(mut self) -> anyhow::Result<Tally> {
        let ended = self.workers.drain(..).map(|worker| worker.process.end(PATIENCE));
        let mut all_ended = ended.fold(true, |all, ended| all & ended);
        for post in self.posts {
            all_ended &= post.bystander.end(PATIENCE) & post.server.process.end(PATIENCE);
        }
        let own = |name: &String| self.extent.is_private || name.contains(&self.name);
        let left: Vec<String> = shm::names().into_iter().filter(own).collect();
        if !all_ended {
            eprintln!("crash-sweep: a survivor did not end in an orderly way");
            self.tally.count(Fault::Hung, 1);
        }
        if !left.is_empty() {
            eprintln!("crash-sweep: left at the end: {left:?}");
            self.tally.count(Fault::LeakedNames, left.len() as u64);
        }
        Ok(self.tally)
    }

    /// Counts a fault and says how to see it again.
    fn fault(&mut self, plan: &Plan, fault: Fault, times: u64, what: &str) {
        self.tally.count(fault, times);
        let Plan { number, side, at, .. } = plan;
        let Extent { seed, rounds, .. } = self.extent;
        // A trial that catches up on a step lies behind all rounds: so many make it one of theirs.
        let rounds = match at {
            At::Step(..) => rounds.max(number / entries().len() as u64 + 1),
            At::Moment(_) => rounds,
        };
        self.bar.suspend(|| {
            eprintln!(
                "crash-sweep: {}: {what}\n  trial {number}, {side:?} killed at {at:?}; again: \
                 cargo run --release --bin crash-sweep -- --seed {seed} --trials {rounds} \
                 --replay {number}",
                fault.name()
            );
        });
    }

    fn post(&mut self, plan: &Plan) -> &mut Post {
        &mut self.posts[usize::from(plan.event)]
    }

    fn trial(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let before = judge::Before::now(self.ledger);
        match plan.side {
            Side::Client => self.kill_a_client(plan)?,
            Side::Server => self.kill_a_server(plan)?,
        }
        self.judge(plan, before)?;
        self.tally.trials += 1;
        self.bar.inc(1);
        Ok(())
    }
}

fn bar(extent: &Extent) -> ProgressBar {
    let trials = extent.rounds * entries().len() as u64 + extent.moments;
    let bar = match extent.replay {
        Some((_, times)) => ProgressBar::new(times),
        None => ProgressBar::new(trials),
    };
    let style = ProgressStyle::with_template("{pos}/{len} kills  {elapsed}, {eta} to go");
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bar
}
