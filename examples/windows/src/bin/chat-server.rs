//! The chat's server in a window: *Create*, and wait for others.

use std::process::ExitCode;

use clap::Parser;
use shmipc_examples::finish;
use shmipc_windows::chat::{ChatWindow, Face};
use shmipc_windows::desktop;

/// A window that serves a chat; others connect to it from windows (`chat-client`) and terminals.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The chat's name; it can be changed in the window.
    #[arg(default_value = "room")]
    chat: String,
    /// Your name.
    #[arg(long, default_value = "server")]
    name: String,
    /// Create it at once, as the button does.
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    options: desktop::Options,
}

fn main() -> ExitCode {
    let Arguments { chat, name, create, options } = Arguments::parse();
    let ran = desktop::run("chat-server", options, move |wake| {
        let mut window = ChatWindow::new(Face::Server, chat, name, wake);
        if create {
            window.open();
        }
        window
    });
    finish("chat-server", ran)
}
