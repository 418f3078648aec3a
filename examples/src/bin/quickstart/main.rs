//! The project's main job in one command: one server process and several client processes exchange
//! the lines of real text files, typed queries with their answers, numbered events, and questions
//! from the server to its clients; everything is checked on both sides, and round trips are
//! measured.
//!
//! A message's way through this program: [`client`] sends, [`server`] keeps it in [`store`] and
//! answers or tells all, [`watcher`] takes the events, [`conductor`] judges, [`report`] prints.

mod client;
mod conductor;
mod corpus;
mod protocol;
mod report;
mod server;
mod store;
mod text;
mod watcher;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use shmipc_examples::finish;

/// One server and several clients exchange the lines of text files, typed queries and events
/// through shared memory, and check every answer.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    options: conductor::Options,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// What the processes that this program starts are told to be.
    #[command(subcommand, hide = true)]
    Role(Role),
}

#[derive(Debug, Subcommand)]
enum Role {
    Server { name: String },
    Client(client::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.child {
        None => finish("quickstart", conduct(&arguments.options)),
        Some(Child::Role(Role::Server { name })) => finish("quickstart server", server::run(&name)),
        Some(Child::Role(Role::Client(options))) => {
            let name = format!("quickstart client {}", options.client + 1);
            finish(&name, client::run(&options))
        }
    }
}

fn conduct(options: &conductor::Options) -> Result<()> {
    let run = conductor::run(options)?;
    if options.json {
        report::print_json(&run)?;
    } else {
        report::print(&run)?;
    }
    if !run.mismatches.is_empty() {
        bail!("something did not agree:{}", report::mismatches(&run));
    }
    Ok(())
}
