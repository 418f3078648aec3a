//! A chat's client in a window: *Connect*, and write.

use std::process::ExitCode;

use clap::Parser;
use shmipc_examples::finish;
use shmipc_windows::chat::{ChatWindow, Face};
use shmipc_windows::desktop;

/// A window that connects to a chat, which a window (`chat-server`) or a terminal serves.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The chat's name; it can be changed in the window.
    #[arg(default_value = "room")]
    chat: String,
    /// Your name. Without it: one made of the process id.
    #[arg(long)]
    name: Option<String>,
    /// Connect at once, as the button does.
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    options: desktop::Options,
}

fn main() -> ExitCode {
    let Arguments { chat, name, connect, options } = Arguments::parse();
    let name = name.unwrap_or_else(|| format!("guest-{}", std::process::id()));
    let ran = desktop::run("chat-client", options, move |wake| {
        let mut window = ChatWindow::new(Face::Client, chat, name, wake);
        if connect {
            window.open();
        }
        window
    });
    finish("chat-client", ran)
}
