//! A process of the `doer` program, which does a [`deed`](crate::deed).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use crate::deed::{Deed, Spot, word};
use crate::process::PeerProcess;

/// A process that does a deed, and what it prints.
#[derive(Debug)]
pub struct Doer {
    process: PeerProcess,
    seen: Vec<String>,
}

impl Doer {
    /// Starts the `doer` program (`env!("CARGO_BIN_EXE_doer")`).
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(program: &str, name: &str, form: &str, spot: Spot, deed: Deed) -> Self {
        let arguments = [name, form, &word(spot), &word(deed)];
        let mut doer =
            Self { process: PeerProcess::start(program, &arguments).unwrap(), seen: Vec::new() };
        // A client may do its deed before it has connected as far as its main thread knows.
        if spot != Spot::Arrive {
            doer.expect("ready");
        }
        doer
    }

    /// Reads on until a line begins so, and gives that line.
    ///
    /// # Panics
    /// The process ended before that.
    pub fn expect(&mut self, beginning: &str) -> String {
        loop {
            let line = self.process.line().unwrap_or_else(|error| {
                panic!("{error} instead of {beginning:?}, after {:?}", self.seen)
            });
            self.seen.push(line.clone());
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// Has it do something, and gives what came of that.
    ///
    /// # Panics
    /// The process ended before that.
    pub fn order(&mut self, order: &str) -> String {
        self.process.say(order).unwrap();
        let answer = self.expect(&format!("{order}: "));
        answer[order.len() + 2..].to_owned()
    }

    /// Gives it a line of input.
    ///
    /// # Panics
    /// The process ended.
    pub fn say(&mut self, line: &str) {
        self.process.say(line).unwrap();
    }

    /// Has it printed this line, as far as was read?
    #[must_use]
    pub fn has_said(&self, line: &str) -> bool {
        self.seen.iter().any(|said| said == line)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits for its end.
    pub fn exit_code(&mut self) -> i32 {
        loop {
            if let Some(status) = self.process.ended() {
                return status.code().unwrap_or(-1);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
