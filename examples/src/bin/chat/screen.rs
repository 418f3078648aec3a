//! Lines from the keyboard and lines to the screen; both may be pipes. And Ctrl-C.

use std::io::{self, BufRead, Write};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::termios::{LocalFlags, tcgetattr};
use shmipc_examples::chat::{ChatEvent, Joined};
use shmipc_examples::printable;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Lines that may wait between the input and the link, and that are said at a time.
const MOST_LINES: usize = 500;
/// The longest line in bytes; a longer one goes on in the next.
const LONGEST_LINE: usize = 16 << 10;
/// How long Ctrl-C leaves the program to end in order.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// What the main thread waits for.
pub(crate) enum Happening {
    /// Lines were typed.
    Typed(Vec<String>),
    /// The input has ended, or cannot be read.
    InputEnded(io::Result<()>),
    /// Ctrl-C, or another request to end.
    Interrupted,
    /// The chat was joined, or cannot be.
    Joined(Box<Result<Joined>>),
    /// The link has ended; how.
    Gone(shmipc::Departure),
}

/// Where happenings are told.
#[derive(Clone)]
pub(crate) struct Sender(SyncSender<Happening>);

impl Sender {
    pub(crate) fn tell(&self, happening: Happening) {
        // Nobody receives: the program is about to end.
        drop(self.0.send(happening));
    }
}

/// Where they arrive.
pub(crate) struct Happenings {
    receiver: Receiver<Happening>,
    /// What came behind lines that were taken together.
    next: Mutex<Option<Happening>>,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Was the program told to end?
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The happenings of this program, Ctrl-C first of all: it ends the program in order, or, where
/// that takes too long or it is pressed again, at once.
pub(crate) fn happenings() -> Result<(Sender, Happenings)> {
    let (sender, receiver) = sync_channel(MOST_LINES);
    let sender = Sender(sender);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch Ctrl-C")?;
    let told = sender.clone();
    let wait = move || {
        for signal in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                exit(128 + signal);
            }
            // Threads of their own: the channel may be full, and the program stuck.
            let told = told.clone();
            thread::spawn(move || told.tell(Happening::Interrupted));
            thread::spawn(move || {
                thread::sleep(LAST_PATIENCE);
                exit(128 + signal);
            });
        }
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(wait);
    spawned.context("cannot start the thread that waits for Ctrl-C")?;
    Ok((sender, Happenings { receiver, next: Mutex::default() }))
}

impl Happenings {
    /// The next one; lines that came together come together. `None`: nothing will happen any more.
    pub(crate) fn next(&self) -> Option<Happening> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match next.take() {
            Some(happening) => happening,
            None => self.receiver.recv().ok()?,
        };
        if is_interrupted() {
            return Some(Happening::Interrupted);
        }
        let Happening::Typed(mut lines) = first else { return Some(first) };
        while lines.len() < MOST_LINES {
            match self.receiver.try_recv() {
                Ok(Happening::Typed(more)) => lines.extend(more),
                Ok(other) => {
                    *next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        Some(Happening::Typed(lines))
    }

    /// How joining went, if that is known soon.
    pub(crate) fn joined_within(&self, patience: Duration) -> Option<Result<Joined>> {
        let ends = Instant::now() + patience;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            if let Happening::Joined(joined) = self.receiver.recv_timeout(left).ok()? {
                return Some(*joined);
            }
        }
    }
}

/// Reads standard input on a thread of its own, for a read cannot be called off: the main thread
/// stays free to end the program.
pub(crate) fn read_input(sender: Sender) -> Result<()> {
    let read = move || {
        let ended = send_lines(io::stdin().lock(), types_lines(), &sender);
        sender.tell(Happening::InputEnded(ended));
    };
    let spawned = thread::Builder::new().name("input".into()).spawn(read);
    spawned.context("cannot start the thread that reads the input")?;
    Ok(())
}

/// Is the input a terminal that gives whole lines?
fn types_lines() -> bool {
    tcgetattr(io::stdin()).is_ok_and(|mode| mode.local_flags.contains(LocalFlags::ICANON))
}

/// A terminal gives what was typed when the line ends, or at Ctrl-D: so what comes from it without
/// an end is a line that Ctrl-D sent, and only Ctrl-D with nothing before it, which gives nothing,
/// is the input's end.
fn send_lines(mut input: impl BufRead, is_terminal: bool, sender: &Sender) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            send_line(&mut line, sender);
            return Ok(());
        }
        let count = bytes.len();
        for &byte in bytes {
            // Where a character begins, or where there are none.
            let may_part = byte & 0xc0 != 0x80 || line.len() >= LONGEST_LINE + 4;
            if byte == b'\n' || line.len() >= LONGEST_LINE && may_part {
                send_line(&mut line, sender);
            }
            if byte != b'\n' {
                line.push(byte);
            }
        }
        input.consume(count);
        if is_terminal && !line.is_empty() {
            send_line(&mut line, sender);
            // The cursor still stands behind it.
            line_end();
        }
    }
}

fn send_line(line: &mut Vec<u8>, sender: &Sender) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    if !text.is_empty() {
        sender.tell(Happening::Typed(vec![text]));
    }
}

/// Prints what happened in the chat. A peer's text cannot drive the terminal.
pub(crate) fn show(event: &ChatEvent) {
    match event {
        ChatEvent::Said { from, lines } => {
            let mut out = io::stdout().lock();
            for text in lines {
                // Where nobody reads any more the chat goes on for the others.
                drop(writeln!(out, "{}", printable(&format!("{from}: {text}"))));
            }
            drop(out.flush());
        }
        ChatEvent::Joined { name } => line(&format!("* {name} joined")),
        ChatEvent::Left { name, suddenly: false } => line(&format!("* {name} left")),
        ChatEvent::Left { name, suddenly: true } => {
            line(&format!("* {name} is gone without a goodbye"));
        }
        ChatEvent::Missed { lines: 1 } => line("* 1 line was missed here"),
        ChatEvent::Missed { lines } => line(&format!("* {lines} lines were missed here")),
    }
}

/// Prints one line, whole, and at once.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{}", printable(text)).and_then(|()| out.flush()));
}

fn line_end() {
    let mut out = io::stdout().lock();
    drop(writeln!(out).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(input: &[u8]) -> Vec<String> {
        let (sender, receiver) = sync_channel(1000);
        send_lines(input, false, &Sender(sender)).expect("memory can be read");
        let lines = receiver.iter().flat_map(|happening| match happening {
            Happening::Typed(lines) => lines,
            _ => panic!("only lines are told"),
        });
        lines.collect()
    }

    #[test]
    fn lines_need_no_end_and_no_valid_text() {
        let lines = typed(b"one\n\n  \r\ntw\xff\n\tthree \xcc\n fo\tur");
        assert_eq!(lines, ["one", "tw\u{fffd}", "\tthree \u{fffd}", " fo\tur"]);
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_in_the_next() {
        for character in ["x", "ä", "小", "😀"] {
            let text = character.repeat(LONGEST_LINE + 1);
            let lines = typed(text.as_bytes());
            assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= LONGEST_LINE + 4));
            assert_eq!(lines.concat(), text, "{character}");
        }
    }
}
