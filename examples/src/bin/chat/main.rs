//! A chat between terminals: `chat serve NAME` in one, `chat join NAME` in as many others as you
//! like. It is the classic demonstration of two windows that write to each other, over plain lines.

mod join;
mod screen;
mod serve;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{Parser, Subcommand};
use shmipc_examples::{chat, finish};

/// Lines typed in one terminal appear in all others.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    /// Serve a chat.
    Serve {
        /// The chat's name.
        chat: String,
        /// Your name.
        #[arg(long, default_value = "server")]
        name: String,
    },
    /// Join a chat; waits for its server.
    Join {
        /// The chat's name.
        chat: String,
        /// Your name. Without it: one made of the process id.
        #[arg(long)]
        name: Option<String>,
        /// Most seconds to wait for the server.
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
        wait: u64,
    },
}

fn own_name(name: &str) -> Result<String> {
    chat::checked_name(name).map_err(|error| other_name(&error))
}

/// What to do about a name that cannot be had.
fn other_name(why: &dyn std::error::Error) -> anyhow::Error {
    anyhow!("{why}; choose another with `--name`")
}

fn main() -> ExitCode {
    let result = match Arguments::parse().side {
        Side::Serve { chat, name } => serve::run(&chat, &name),
        Side::Join { chat, name, wait } => {
            let name = name.unwrap_or_else(|| format!("guest-{}", std::process::id()));
            join::run(&chat, &name, Duration::from_secs(wait))
        }
    };
    finish("chat", result)
}
