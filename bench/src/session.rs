//! A session: every peer at every workload, repetition by repetition.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_kit::Workload;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::build::{Build, Builder};
use crate::catalog::{self, Peer};
use crate::process::is_interrupted;
use crate::rows::{Results, Series};
use crate::run::{Cell, START_PATIENCE, Setting, run};

/// After so many failures in a row a peer is left out of a workload.
const PATIENCE: usize = 2;
/// Repetitions of `idle` in a quick session: each takes more than a second, and little varies.
const QUICK_IDLE_REPS: usize = 3;

/// By build and package; `None` is the package of the runner itself.
type Programs = HashMap<(Build, Option<&'static str>), Result<PathBuf, String>>;

/// What is to be measured.
pub(crate) struct Session {
    cells: Vec<Cell>,
    builds: Vec<Build>,
    reps: u32,
    idle_reps: usize,
    setting: Setting,
}

impl Session {
    pub(crate) fn new(
        workloads: &[Workload],
        peers: &[&'static Peer],
        builds: &[Build],
        reps: u32,
        measure: Duration,
        quick: bool,
    ) -> Result<Self> {
        let mut cells = Vec::new();
        for workload in workloads.iter().copied() {
            for peer in peers.iter().filter(|peer| peer.workloads.contains(&workload)) {
                let parameters = catalog::parameters(workload).iter();
                cells.extend(parameters.map(|parameter| Cell {
                    workload,
                    peer,
                    parameter: *parameter,
                }));
            }
        }
        if cells.is_empty() {
            bail!(
                "none of these peers takes part in these workloads; `--list` shows what there is"
            );
        }
        let idle_reps = if quick { QUICK_IDLE_REPS } else { usize::MAX };
        let setting = Setting { cores: cores()?, measure };
        Ok(Self { cells, builds: builds.to_vec(), reps, idle_reps, setting })
    }

    /// Builds the rivals, then measures: results for each kind of build.
    pub(crate) fn run(&self) -> Result<Vec<Results>> {
        let programs = self.programs()?;
        // A cell's series of all builds follow each other, so that what drifts drifts for them
        // alike.
        let both = self.cells.iter().flat_map(|cell| self.builds.iter().map(move |b| (*b, *cell)));
        let mut series: Vec<(Build, Series)> =
            both.map(|(build, cell)| (build, Series::new(cell))).collect();
        let bar = ProgressBar::new(u64::from(self.reps) * series.len() as u64);
        let style = "{elapsed_precise} {bar:30} {pos}/{len}, {eta} left, {msg}";
        bar.set_style(ProgressStyle::with_template(style)?);
        for _ in 0..self.reps {
            for (build, series) in &mut series {
                let name = series.cell.peer.name;
                bar.set_message(format!("{} {name}", series.cell.workload.name()));
                self.repeat(series, &programs[&(*build, series.cell.peer.package)]);
                if is_interrupted() {
                    bar.abandon();
                    bail!("interrupted");
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        let mut results = Vec::new();
        for build in &self.builds {
            let built = series.extract_if(.., |(of, _)| of == build);
            results.push(Results::new(*build, built.map(|(_, series)| series).collect()));
        }
        Ok(results)
    }

    fn repeat(&self, series: &mut Series, program: &Result<PathBuf, String>) {
        if series.cell.workload == Workload::Idle && series.samples.len() >= self.idle_reps {
            return;
        }
        let started = Instant::now();
        let sample = match program {
            Ok(_) if has_given_up(series) => None,
            Ok(program) => match run(series.cell, program, &self.setting) {
                Ok(sample) => Some(sample),
                Err(error) => {
                    series.failures.push(format!("{error:#}"));
                    series.hangs |= started.elapsed() >= START_PATIENCE;
                    None
                }
            },
            Err(error) => {
                series.failures = vec![error.clone()];
                None
            }
        };
        series.samples.push(sample);
    }

    /// The program of each package, or why there is none.
    fn programs(&self) -> Result<Programs> {
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let builder = Builder::new(own)?;
        let mut programs = Programs::new();
        let packages = || self.cells.iter().map(|cell| cell.peer.package);
        for (build, package) in self.builds.iter().flat_map(|b| packages().map(|p| (*b, p))) {
            if programs.contains_key(&(build, package)) {
                continue;
            }
            let built = match package {
                None => builder.own(build),
                Some(package) => builder.build(package, build),
            };
            if is_interrupted() {
                bail!("interrupted");
            }
            programs.insert((build, package), built.map_err(|error| format!("{error:#}")));
        }
        Ok(programs)
    }
}

/// Has it failed too often, with nothing to show since? One deadline is enough.
fn has_given_up(series: &Series) -> bool {
    if series.hangs {
        return true;
    }
    let recent = series.samples.iter().rev().take(PATIENCE);
    series.failures.len() >= PATIENCE && recent.flatten().count() == 0
}

/// The first two cores that this program may use.
fn cores() -> Result<[usize; 2]> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("cannot ask for the cores")?;
    let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
    let first = cores.next().context("no core is allowed")?;
    let second = cores.next().unwrap_or_else(|| {
        eprintln!("bench: there is only one core; all figures are for one core");
        first
    });
    Ok([first, second])
}
