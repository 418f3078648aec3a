//! One run: two processes or more, one sample.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_kit::{Plan, Role, Sample, Workload};
use nix::unistd::Pid;

use crate::catalog::Peer;
use crate::own::clear_ours;
use crate::process::Side;
use crate::usage::Usage;

/// How long a process may take until it is ready, apart from measuring.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(8);
/// A pair is left alone so long before its idleness is measured.
const SETTLE: Duration = Duration::from_millis(300);
/// Where shared memory lies.
const SHARED_MEMORY: &str = "/dev/shm";
/// What the names of this program's directories begin with.
const PREFIX: &str = "shmipc-bench-";

/// One thing to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) workload: Workload,
    pub(crate) peer: &'static Peer,
    /// Clients in `fan-in`, idle links in `idle-links`, KiB in a message of the others' in
    /// `beside-large`.
    pub(crate) parameter: Option<u64>,
}

/// What all runs have in common.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The two cores, or one and the same twice.
    pub(crate) cores: [usize; 2],
    pub(crate) measure: Duration,
}

/// What a run leaves in shared memory; cleared away when dropped.
struct Traces {
    name: String,
    dir: PathBuf,
}

impl Traces {
    fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        let dir = Path::new(SHARED_MEMORY).join(&name);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { name, dir })
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        clear_ours(&self.name);
        // Rivals that make files of their own have the run's name in theirs.
        let named = format!("{}.", self.name);
        remove_shared(|file| file.contains(&named));
    }
}

fn remove_shared(is_ours: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_str().is_some_and(&is_ours) {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

/// Clears away what a killed run of this program has left.
pub(crate) fn sweep() {
    remove_shared(|file| {
        let Some((_, rest)) = file.split_once(PREFIX) else { return false };
        let pid = rest.split('-').next().and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| nix::sys::signal::kill(Pid::from_raw(pid), None).is_err())
    });
}

/// Runs one cell once.
pub(crate) fn run(cell: Cell, program: &Path, setting: &Setting) -> Result<Sample> {
    let traces = Traces::new()?;
    let mut sides = Sides { server: None, bystander: None, clients: Vec::new() };
    let result = sides.measure(cell, program, setting, &traces);
    match result {
        Ok(sample) => {
            sides.end();
            Ok(sample)
        }
        // What ails the server tells more than that its client got no answer.
        Err(error) => Err(sides.server.as_mut().and_then(Side::complaint).unwrap_or(error)),
    }
}

struct Sides {
    clients: Vec<Side>,
    bystander: Option<Side>,
    server: Option<Side>,
}

impl Sides {
    fn measure(
        &mut self,
        cell: Cell,
        program: &Path,
        setting: &Setting,
        traces: &Traces,
    ) -> Result<Sample> {
        let Cell { workload, peer, parameter } = cell;
        let parameter = usize::try_from(parameter.unwrap_or(0))?;
        let clients = if workload == Workload::FanIn { parameter } else { 1 };
        let idle_links = if workload == Workload::IdleLinks { parameter } else { 0 };
        let large = if workload == Workload::BesideLarge { parameter << 10 } else { 0 };
        // Who the large messages are for is linked before who measures.
        let idle_links = if large > 0 { 1 } else { idle_links };
        let [first, second] = setting.cores;
        let second = if workload == Workload::RttOneCore { first } else { second };
        let plan = |role, core| Plan {
            peer: peer.name.into(),
            workload,
            role,
            name: traces.name.clone(),
            dir: traces.dir.clone(),
            cores: vec![core],
            measure: setting.measure,
            clients,
            idle_links,
            large,
        };
        if peer.has_server() {
            let server = Side::start(program, &plan(Role::Server, first), "server")?;
            self.server.insert(server).ready(START_PATIENCE)?;
        }
        if idle_links > 0 {
            let plan = plan(Role::Bystander(idle_links), second);
            let bystander = Side::start(program, &plan, "bystander")?;
            self.bystander.insert(bystander).ready(START_PATIENCE)?;
        }
        for number in 0..clients as u64 {
            let plan = plan(Role::Client(number), second);
            let what = if clients == 1 { "client".into() } else { format!("client-{number}") };
            self.clients.push(Side::start(program, &plan, &what)?);
        }
        for client in &mut self.clients {
            client.ready(START_PATIENCE)?;
        }
        for client in &mut self.clients {
            client.go()?;
        }
        if workload == Workload::Idle {
            return self.idleness(setting.measure);
        }
        let patience = setting.measure * 4 + START_PATIENCE;
        let samples = self.clients.iter_mut().map(|client| client.sample(patience));
        Ok(together(samples.collect::<Result<Vec<_>>>()?))
    }

    /// What the pair costs while it says nothing: the worse of the two.
    fn idleness(&mut self, measure: Duration) -> Result<Sample> {
        thread::sleep(SETTLE);
        let pids = || self.server.iter().chain(&self.clients).map(Side::pid);
        let before: Vec<Usage> = pids().map(Usage::of).collect::<Result<_>>()?;
        let measure = (measure * 5).max(Duration::from_secs(1));
        thread::sleep(measure);
        let after: Vec<Usage> = pids().map(Usage::of).collect::<Result<_>>()?;
        let seconds = measure.as_secs_f64();
        let pairs = || before.iter().zip(&after);
        let cpu = pairs().map(|(before, after)| (after.cpu_ns - before.cpu_ns) / seconds);
        let wakes = pairs().map(|(before, after)| (after.wakes - before.wakes) / seconds);
        Ok(Sample {
            n: 1,
            p50_ns: Some(cpu.fold(0.0, f64::max)),
            per_s: Some(wakes.fold(0.0, f64::max)),
            ..Sample::default()
        })
    }

    /// Clients first, so that the server sees them go.
    fn end(self) {
        for side in self.clients.into_iter().chain(self.bystander).chain(self.server) {
            side.end();
        }
    }
}

/// Several clients' samples as one: all that they sent, over the time from the first start to the
/// last end.
fn together(samples: Vec<Sample>) -> Sample {
    if samples.len() <= 1 {
        let fair_share = Some(1.0);
        return samples
            .into_iter()
            .next()
            .map_or_else(Sample::default, |sample| Sample { fair_share, ..sample });
    }
    let count: u64 = samples.iter().map(|sample| sample.n).sum();
    let start = samples.iter().map(|sample| sample.span_ns.0).min().unwrap_or(0);
    let end = samples.iter().map(|sample| sample.span_ns.1).max().unwrap_or(0);
    let rate = |sample: &Sample| {
        let (start, end) = sample.span_ns;
        sample.n as f64 / (end.saturating_sub(start).max(1)) as f64
    };
    let slowest = samples.iter().map(rate).fold(f64::INFINITY, f64::min);
    let fair = samples.iter().map(rate).sum::<f64>() / samples.len() as f64;
    Sample {
        n: count,
        per_s: Some(count as f64 * 1e9 / end.saturating_sub(start).max(1) as f64),
        fair_share: Some(slowest / fair),
        ..Sample::default()
    }
}
