//! Small things that every command-line program needs.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

/// Prints an error with all its causes and gives the exit code.
#[must_use]
pub fn finish(program: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A server name that no other run has: runs beside each other must not meet.
#[must_use]
pub fn unique_name(program: &str) -> String {
    // A clock before 1970 gives zero; the process id still tells the runs apart.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{program}-{}-{now:x}", std::process::id())
}

/// A peer's text without the control characters that could drive the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(visible).collect()
}
