//! Large messages: pictures go to a viewer in another process, which answers each with its
//! checksum.
//!
//! `pictures` alone starts its viewer itself; `pictures view NAME` and `pictures send NAME` are the
//! same in two terminals.

mod pnm;
mod protocol;
mod send;
mod view;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use shmipc::Client;
use shmipc_examples::{ChildGuard, Remains, connect_to_child, finish, unique_name};

use protocol::Picture;
use send::What;

/// How long the viewer may take to end.
const VIEWER_PATIENCE: Duration = Duration::from_secs(20);

/// Sends pictures to a viewer in another process, which answers each with its checksum.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    what: What,
    /// The file that the last picture is written to. Without it: one in the temporary directory.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    side: Option<Side>,
}

#[derive(Debug, Subcommand)]
enum Side {
    /// Be the viewer only.
    View {
        /// The viewer's name.
        name: String,
        /// The file that the last picture is written to. Without it: one in the temporary
        /// directory.
        #[arg(long)]
        out: Option<PathBuf>,
        /// End when the first sender is gone.
        #[arg(long)]
        once: bool,
    },
    /// Send to a viewer that runs, or is about to.
    Send {
        /// The viewer's name.
        name: String,
        #[command(flatten)]
        what: What,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.side {
        None => with_own_viewer(&arguments.what, arguments.out.as_deref()),
        Some(Side::View { name, out, once }) => view::run(&name, out, once),
        Some(Side::Send { name, what }) => send(&name, &what),
    };
    finish("pictures", result)
}

fn with_own_viewer(what: &What, out: Option<&Path>) -> Result<()> {
    let name = unique_name("pictures");
    let _remains = Remains::<Picture<'static>>::of(&name);
    let mut arguments: Vec<&OsStr> = vec!["view".as_ref(), name.as_ref(), "--once".as_ref()];
    if let Some(out) = out {
        arguments.extend(["--out".as_ref(), out.as_os_str()]);
    }
    let mut viewer = ChildGuard::start_self("the viewer", arguments)?;
    let client = connect_to_child(&mut viewer, || {
        Client::<Picture<'static>>::builder(&name).deadline(send::CALL_DEADLINE)
    })?;
    send::run(&client, what)?;
    // The viewer ends with its sender.
    drop(client);
    viewer.wait(VIEWER_PATIENCE)
}

fn send(name: &str, what: &What) -> Result<()> {
    let viewer = Client::builder(name).deadline(send::CALL_DEADLINE).connect()?;
    send::run(&viewer, what)
}
