//! A long run of everything at the same time: honest clients of a steady server, which check that
//! nothing is lost, repeated or damaged; a server that is killed and restarted, with a client that
//! lives on; clients that are killed, stopped, slow, and hostile. At the end memory, descriptors
//! and threads of the honest ones are where they were after a warm-up, and nothing is left in
//! `/dev/shm`.
//!
//! `cargo run --release --bin soak -- [--minutes N] [--seed S] [--json FILE]`

mod conductor;
mod honest;
mod protocol;
mod server;
mod verdict;
mod wild;

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shmipc::Doorbell;

/// Mixed traffic with kills, restarts, slow and hostile clients.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long; a quarter is the least that says anything.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What is done when follows from it.
    #[arg(long)]
    seed: Option<u64>,
    /// Writes the result here as one JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the conductor starts.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Role {
    Server { name: String, doorbell: String, seed: u64 },
    Honest { name: String, seed: u64 },
    LivesOn { name: String, seed: u64 },
    Churn { name: String, seed: u64 },
    Slow { name: String, seed: u64 },
    Hostile { name: String, seed: u64 },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<bool, Box<dyn Error>> {
    let Some(role) = arguments.role else {
        let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()));
        println!("soak of {} minutes, seed {seed}", arguments.minutes);
        let verdict = conductor::conduct(arguments.minutes, seed)?;
        println!("{verdict}");
        if let Some(path) = arguments.json {
            std::fs::write(path, serde_json::to_string_pretty(&verdict)?)?;
        }
        return Ok(verdict.is_good());
    };
    match role {
        Role::Server { name, doorbell, seed } => {
            let event = doorbell == "event";
            server::serve(&name, if event { Doorbell::Event } else { Doorbell::Futex }, seed)?;
        }
        Role::Honest { name, seed } => honest::talk(&name, false, seed)?,
        Role::LivesOn { name, seed } => honest::talk(&name, true, seed)?,
        Role::Churn { name, seed } => wild::churn(&name, seed)?,
        Role::Slow { name, seed } => wild::slow(&name, seed)?,
        Role::Hostile { name, seed } => wild::hostile(&name, seed)?,
    }
    Ok(true)
}

/// Whoever started this process is gone, or wants it to end.
fn wait_for_end_of_input() {
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
}
