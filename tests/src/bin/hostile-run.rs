//! Hostile peers, live: `hostile-run [--sessions N] [--seed S] [--json FILE]`. A server and an
//! honest client that calls all the time, against attackers that write whatever they like into
//! their links and into the registry; then a hostile server against an honest client. Ends with an
//! error, and says what broke and how to see it again, if a guarantee did not hold.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shmipc_tests::hostile::conduct::{self, Wanted};
use shmipc_tests::hostile::{attacker, honest, reverse, serve, users};

#[derive(Debug, Parser)]
#[command(about = "Attacks a server with hostile peers, and a client with a hostile server")]
struct Arguments {
    /// Hostile sessions against the server.
    #[arg(long, default_value_t = 10_000)]
    sessions: u64,
    /// Sessions of an honest client with a hostile server; a tenth of the others unless told.
    #[arg(long)]
    reverse: Option<u64>,
    /// Chooses everything that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first session's number: with `--sessions 1`, the one session that a fault names.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Attacking processes at the same time.
    #[arg(long, default_value_t = 3)]
    attackers: u64,
    /// Where the report goes as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// The processes that the run starts.
#[derive(Debug, Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve { name: String },
    #[command(hide = true)]
    Honest { name: String },
    #[command(hide = true)]
    Attack { name: String, seed: u64, first: u64, step: u64, end: u64 },
    #[command(hide = true)]
    HostileServer { name: String, seed: u64 },
    #[command(hide = true)]
    Victim { name: String, sessions: u64 },
    #[command(hide = true)]
    Doorkeep { name: String },
    #[command(hide = true)]
    HardLink { from: PathBuf, to: PathBuf },
    #[command(hide = true)]
    Forge { name: String, uid: u32, made: String, id: String },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `true`: everything held.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    match &arguments.role {
        None => conduct(arguments),
        Some(role) => play(role).map(|()| true),
    }
}

fn play(role: &Role) -> Result<(), Box<dyn Error>> {
    match role {
        Role::Serve { name } => serve::run(name),
        Role::Honest { name } => honest::run(name),
        Role::Attack { name, seed, first, step, end } => {
            attacker::run(name, *seed, [*first, *step, *end])
        }
        Role::HostileServer { name, seed } => reverse::serve(name, *seed),
        Role::Victim { name, sessions } => reverse::victim(name, *sessions),
        Role::Doorkeep { name } => users::doorkeep(name),
        Role::HardLink { from, to } => users::hard_link(from, to),
        Role::Forge { name, uid, made, id } => {
            users::forge(name, *uid, made, u128::from_str_radix(id, 16)?)
        }
    }
}

fn conduct(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let wanted = Wanted {
        sessions: arguments.sessions,
        reverse: arguments.reverse.unwrap_or(arguments.sessions / 10),
        first: arguments.first,
        seed: arguments.seed,
        attackers: arguments.attackers.max(1),
    };
    let report = conduct::run(program.to_str().ok_or("a program with a strange name")?, wanted)?;
    println!("{}", report.text());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(report.faults.is_empty())
}
