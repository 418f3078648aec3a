//! Lines from the keyboard and lines to the screen; both may be pipes.

use std::io::{self, BufRead, Write};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context, Result};
use shmipc_examples::printable;

use crate::protocol::ChatEvent;

/// What the main thread waits for.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A line was typed.
    Typed(String),
    /// The input has ended, or cannot be read.
    InputEnded(io::Result<()>),
    /// The link has ended; how.
    Gone(shmipc::Departure),
}

/// Reads standard input on a thread of its own, for a read cannot be called off: the main thread
/// stays free to end the program.
pub(crate) fn read_input(happenings: Sender<Happening>) -> Result<()> {
    let read = move || {
        let ended = send_lines(io::stdin().lock(), &happenings);
        // Nobody receives: the program is about to end.
        drop(happenings.send(Happening::InputEnded(ended)));
    };
    let spawned = thread::Builder::new().name("input".into()).spawn(read);
    spawned.context("cannot start the thread that reads the input")?;
    Ok(())
}

fn send_lines(mut input: impl BufRead, happenings: &Sender<Happening>) -> io::Result<()> {
    let mut bytes = Vec::new();
    while input.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if !text.is_empty() && happenings.send(Happening::Typed(text)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Prints what happened in the chat. A peer's text cannot drive the terminal.
pub(crate) fn show(event: &ChatEvent) {
    match event {
        ChatEvent::Said { from, text } => line(&format!("{from}: {text}")),
        ChatEvent::Joined { name } => line(&format!("* {name} joined")),
        ChatEvent::Left { name, why: None } => line(&format!("* {name} left")),
        ChatEvent::Left { name, why: Some(why) } => line(&format!("* {name} is gone: {why}")),
    }
}

/// Prints one line, whole, and at once.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    // Where nobody reads any more the chat goes on for the others.
    drop(writeln!(out, "{}", printable(text)).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_need_no_end_and_no_valid_text() {
        let (sender, receiver) = std::sync::mpsc::channel();
        send_lines(&b"one\n\n  \r\ntw\xff\nthree"[..], &sender).expect("memory can be read");
        drop(sender);
        let typed: Vec<_> = receiver
            .iter()
            .map(|happening| match happening {
                Happening::Typed(text) => text,
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(typed, ["one", "tw\u{fffd}", "three"]);
    }
}
