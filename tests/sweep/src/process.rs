//! The conductor's children.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A child of the conductor. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// What it said and nobody read yet.
    heard: Vec<u8>,
}

impl Process {
    /// Starts this program in another role.
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start a process of the sweep")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no pipe to a process of the sweep")?;
        Ok(Self { child, input, output, heard: Vec::new() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("a process without input")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).context("a process ended too soon")
    }

    /// Its next line within `patience`; `None`: it said nothing, or ended.
    pub(crate) fn line(&mut self, patience: Duration) -> Option<String> {
        let started = Instant::now();
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if !self.hear(patience.checked_sub(started.elapsed())?) {
                return None;
            }
        }
    }

    /// Waits until it is dead: nobody but it holds the other end of its output.
    pub(crate) fn dies(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        while self.hear(patience.checked_sub(started.elapsed())?) {}
        if started.elapsed() >= patience {
            return None;
        }
        self.child.wait().ok()
    }

    /// Reads what there is to read; `false`: the end, or nothing came in time.
    fn hear(&mut self, patience: Duration) -> bool {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout).unwrap_or(0) == 0 {
            return false;
        }
        let mut bytes = [0; 512];
        let read = self.output.read(&mut bytes).unwrap_or(0);
        self.heard.extend_from_slice(&bytes[..read]);
        read > 0
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        // It may be dead already.
        drop(self.child.kill());
    }

    /// Ends its input and waits for its end; `true`: it ended well.
    pub(crate) fn end(mut self, patience: Duration) -> bool {
        self.input = None;
        self.dies(patience).is_some_and(|status| status.success())
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        drop(self.child.wait());
    }
}
