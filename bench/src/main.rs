//! Measures shmipc beside its rivals and the physical limits.

mod build;
mod catalog;
mod machine;
mod own;
mod parts;
mod plot;
mod process;
mod report;
mod rows;
mod run;
mod session;
mod table;
mod targets;
mod usage;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench_kit::{Plan, Workload};
use clap::Parser;

use build::Build;
use catalog::{PEERS, Peer};
use rows::Results;

/// Measures shmipc beside its rivals and the physical limits: two processes, pinned to two cores.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    /// What to measure; everything unless given. `--list` shows what there is
    workload: Vec<String>,
    /// Whom to measure, separated by commas; everybody unless given
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// How all of them are built; with both, each run of one is followed by one of the other
    #[arg(long, value_delimiter = ',', default_value = "release")]
    build: Vec<Build>,
    /// Runs of each peer at each workload, interleaved [default: 9]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    reps: Option<u32>,
    /// Writes the rows here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws one SVG for each workload here
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Writes the tables and the machine's description here, as Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Shorter runs: the whole table takes less than five minutes
    #[arg(long)]
    quick: bool,
    /// Shows the workloads and the peers that there are
    #[arg(long)]
    list: bool,
    /// Measures what a spinning round trip is made of, part by part, and nothing else
    #[arg(long)]
    parts: bool,
}

const AFTER_HELP: &str = "\
Figures are medians over the runs; the spread is the distance of the quartiles as a part of the \
median; ratios are medians of the ratios within each repetition. Reading the clock is part of each \
round trip's time (see the report). The rivals are built one by one when they are first needed.";

/// How long one run measures.
const MEASURE: Duration = Duration::from_millis(400);
const MEASURE_QUICK: Duration = Duration::from_millis(60);
const REPS: u32 = 9;

fn main() -> ExitCode {
    // One side of a measurement is this program again, with a plan as its only argument.
    let mut arguments = std::env::args().skip(1);
    if let (Some(first), None) = (arguments.next(), arguments.next())
        && let Ok(plan) = serde_json::from_str::<Plan>(&first)
    {
        return bench_kit::dispatch(&plan, own::take);
    }
    match start(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process::is_interrupted() => {
            eprintln!("bench: interrupted; nothing is left running");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        list();
        return Ok(());
    }
    if arguments.parts {
        print!("{}", parts::table(&parts::measure()?));
        return Ok(());
    }
    let workloads = chosen_workloads(&arguments.workload)?;
    let peers = chosen_peers(&arguments.peers)?;
    let quick = arguments.quick;
    let reps = arguments.reps.unwrap_or(REPS);
    let measure = if quick { MEASURE_QUICK } else { MEASURE };
    check_outputs(arguments)?;
    ctrlc::set_handler(process::interrupt).context("cannot handle interruptions")?;
    run::sweep();
    let builds = distinct(&arguments.build);
    let session = session::Session::new(&workloads, &peers, &builds, reps, measure, quick)?;
    let results = session.run()?;
    if let Some(path) = &arguments.json {
        let rows: Vec<_> = results.iter().flat_map(Results::rows).collect();
        write(path, &(serde_json::to_string_pretty(&rows)? + "\n"))?;
    }
    if let (Some(dir), Some(first)) = (&arguments.plot, results.first()) {
        plot::draw(first, &workloads, dir)?;
    }
    if let Some(path) = &arguments.report {
        write(path, &report::markdown(&results, &workloads, reps, quick))?;
    }
    let text = report::plain(&results, &workloads, reps);
    // Last: whoever closes the pipe early has the files.
    stdout().write_all(text.as_bytes()).context("cannot write the tables")
}

/// Each kind of build once, in the order given.
fn distinct(builds: &[Build]) -> Vec<Build> {
    let mut kept = Vec::new();
    for build in builds {
        if !kept.contains(build) {
            kept.push(*build);
        }
    }
    kept
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Minutes of measuring must not end in a path that never could be written.
fn check_outputs(arguments: &Arguments) -> Result<()> {
    for path in [&arguments.json, &arguments.report].into_iter().flatten() {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        if path.is_dir() || dir.is_some_and(|dir| !dir.is_dir()) {
            bail!("cannot write {}: give a file in a directory that exists", path.display());
        }
    }
    if let Some(dir) = &arguments.plot {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    Ok(())
}

fn chosen_workloads(names: &[String]) -> Result<Vec<Workload>> {
    if names.is_empty() {
        return Ok(Workload::ALL.to_vec());
    }
    for name in names {
        if !Workload::ALL.iter().any(|workload| workload.name() == name) {
            let all = Workload::ALL.map(Workload::name).join(", ");
            bail!("there is no workload {name:?}; there are {all}");
        }
    }
    let wanted = |workload: &Workload| names.iter().any(|name| name == workload.name());
    Ok(Workload::ALL.into_iter().filter(wanted).collect())
}

fn chosen_peers(names: &[String]) -> Result<Vec<&'static Peer>> {
    if names.is_empty() {
        return Ok(PEERS.iter().collect());
    }
    for name in names {
        if !PEERS.iter().any(|peer| peer.name == name) {
            bail!("there is no peer {name:?}; there are {}", catalog::peer_names().join(", "));
        }
    }
    Ok(PEERS.iter().filter(|peer| names.iter().any(|name| name == peer.name)).collect())
}

fn list() {
    println!("Workloads:");
    for workload in Workload::ALL {
        println!("  {:<22} {}", workload.name(), catalog::describe(workload));
    }
    println!("Peers:");
    for peer in PEERS {
        println!("  {:<22} {}", peer.name, peer.what);
    }
}
