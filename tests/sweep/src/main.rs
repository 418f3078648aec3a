//! `crash-sweep`: kills servers and clients with SIGKILL, at each named step and at random moments,
//! and checks after each kill everything that is promised for it.
//!
//! The conductor starts this very program again in hidden roles: two steady servers (one for each
//! kind of doorbell) with a bystander each, whose clients are killed; workers, whose servers are
//! killed; and a victim for each trial. What each of them did is counted in a ledger, memory of the
//! conductor's that outlives them all.

mod ledger;
mod plan;
mod post;
mod process;
mod protocol;
mod roles;
mod shm;
mod station;
mod sweep;
mod tally;
mod traffic;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;

use roles::Role;
use sweep::{Extent, Sweep};

/// Kills of servers and clients, with everything checked after each. Ends with a failure if
/// anything was not as it is promised.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Kills at each step of each side.
    #[arg(long, default_value_t = 30)]
    trials: u64,
    /// Kills at random moments.
    #[arg(long, default_value_t = 5_000)]
    moments: u64,
    /// What decides every trial; random if not given, and told.
    #[arg(long)]
    seed: Option<u64>,
    /// Writes the result to this file, as one JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Runs only the trial of this number, 20 times.
    #[arg(long)]
    replay: Option<u64>,
    /// Longest time of notice in milliseconds that is no failure. What the machine itself was late
    /// in that trial (a thread that sleeps for 2 ms at a time tells) is not counted here; it
    /// is in the result.
    #[arg(long, default_value_t = 100)]
    notice: u32,
    #[command(subcommand)]
    role: Option<Role>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(role) => role.run().map(|()| ExitCode::SUCCESS),
        None => conduct(&arguments),
    }
}

fn conduct(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let strangers = plan::strangers();
    ensure!(strangers.is_empty(), "the table of steps and the library's differ: {strangers:?}");
    let is_private = shm::make_private();
    if !is_private {
        eprintln!("/dev/shm is shared: run nothing else that uses the library meanwhile");
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("seed {seed}");
    let replay = arguments.replay.map(|number| (number, 20));
    let (rounds, moments) = (arguments.trials, arguments.moments);
    let tally = Sweep::start(Extent { seed, rounds, moments, replay, is_private })?.run()?;
    println!("{}", tally.to_text());
    let mut is_good = tally.is_clean();
    if tally.slowest_own > Duration::from_millis(arguments.notice.into()) {
        println!(
            "noticed too late: after {:.0?}, without what the machine was late",
            tally.slowest_own
        );
        is_good = false;
    }
    let short = tally.short_of(rounds);
    if replay.is_none() && !short.is_empty() {
        println!("fewer than {rounds} kills at: {}", short.join(", "));
        is_good = false;
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&tally.to_json())? + "\n";
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
