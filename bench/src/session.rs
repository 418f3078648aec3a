//! A session: every peer at every workload, repetition by repetition.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_kit::Workload;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::build::Builder;
use crate::catalog::{self, Peer};
use crate::process::is_interrupted;
use crate::rows::{Results, Series};
use crate::run::{Cell, START_PATIENCE, Setting, run};

/// After so many failures in a row a peer is left out of a workload.
const PATIENCE: usize = 2;
/// Repetitions of `idle` in a quick session: each takes more than a second, and little varies.
const QUICK_IDLE_REPS: usize = 3;

/// What is to be measured.
pub(crate) struct Session {
    cells: Vec<Cell>,
    reps: u32,
    idle_reps: usize,
    setting: Setting,
}

impl Session {
    pub(crate) fn new(
        workloads: &[Workload],
        peers: &[&'static Peer],
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
        Ok(Self { cells, reps, idle_reps, setting: Setting { cores: cores()?, measure } })
    }

    /// Builds the rivals, then measures.
    pub(crate) fn run(&self) -> Result<Results> {
        let programs = self.programs()?;
        let mut series: Vec<Series> = self.cells.iter().copied().map(Series::new).collect();
        let bar = ProgressBar::new(u64::from(self.reps) * series.len() as u64);
        let style = "{elapsed_precise} {bar:30} {pos}/{len}, {eta} left, {msg}";
        bar.set_style(ProgressStyle::with_template(style)?);
        for _ in 0..self.reps {
            for series in &mut series {
                let name = series.cell.peer.name;
                bar.set_message(format!("{} {name}", series.cell.workload.name()));
                self.repeat(series, &programs);
                if is_interrupted() {
                    bar.abandon();
                    bail!("interrupted");
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(Results::new(series))
    }

    fn repeat(
        &self,
        series: &mut Series,
        programs: &HashMap<Option<&str>, Result<PathBuf, String>>,
    ) {
        if series.cell.workload == Workload::Idle && series.samples.len() >= self.idle_reps {
            return;
        }
        let started = Instant::now();
        let sample = match programs.get(&series.cell.peer.package) {
            Some(Ok(_)) if has_given_up(series) => None,
            Some(Ok(program)) => match run(series.cell, program, &self.setting) {
                Ok(sample) => Some(sample),
                Err(error) => {
                    series.failures.push(format!("{error:#}"));
                    series.hangs |= started.elapsed() >= START_PATIENCE;
                    None
                }
            },
            Some(Err(error)) => {
                series.failures = vec![error.clone()];
                None
            }
            None => None,
        };
        series.samples.push(sample);
    }

    /// The program of each package, or why there is none.
    fn programs(&self) -> Result<HashMap<Option<&'static str>, Result<PathBuf, String>>> {
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let builder = Builder::new(&own)?;
        let mut programs = HashMap::from([(None, Ok(own))]);
        let mut packages: Vec<_> = self.cells.iter().filter_map(|cell| cell.peer.package).collect();
        packages.dedup();
        for package in packages {
            if programs.contains_key(&Some(package)) {
                continue;
            }
            let built = builder.build(package).map_err(|error| format!("{error:#}"));
            if is_interrupted() {
                bail!("interrupted");
            }
            programs.insert(Some(package), built);
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
