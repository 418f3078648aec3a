//! What the tests have in common: programs that cannot outlive their test, however it ends.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::panic, reason = "a helper fails its test that way")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take. Only a test that hangs gets near it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    Program::start(program, arguments).finish()
}

/// A program with pipes; killed when this is dropped.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_with_input(program, arguments, Stdio::piped())
    }

    pub fn start_with_input(program: &str, arguments: &[&str], input: Stdio) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = lines_of(child.stdout.take().expect("it was piped"));
        let errors = lines_of(child.stderr.take().expect("it was piped"));
        Self { stdin: child.stdin.take(), child, lines, errors, seen: Vec::new() }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input was not closed");
        writeln!(stdin, "{line}").expect("the program reads its input");
    }

    /// Ctrl-D.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the program runs");
    }

    /// Stops it, and waits until it is.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_until("the program is stopped", || {
            let stat = std::fs::read_to_string(&stat).expect("the program runs");
            stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
        });
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("the program runs");
    }

    /// Waits for a line of standard output.
    pub fn expect_line(&mut self, wanted: &str) {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line);
                    if self.seen.last().is_some_and(|line| line == wanted) {
                        return;
                    }
                }
                Err(error) => panic!("no line {wanted:?} ({error}), but {:#?}", self.seen),
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the input and waits for the end.
    pub fn finish(mut self) -> Output {
        self.end_input();
        self.finish_with_open_input()
    }

    /// Waits for the end; a program that does not end is killed, and the test fails.
    pub fn finish_with_open_input(mut self) -> Output {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                break status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the program did not end; so far: {:#?}",
                self.seen
            );
            thread::sleep(Duration::from_millis(5));
        };
        // Bounded too: a process left behind would hold the pipes open.
        let mut stdout = std::mem::take(&mut self.seen);
        stdout.extend(rest(&self.lines));
        Output { status, stdout: stdout.join("\n"), stderr: rest(&self.errors).join("\n") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads lines on a thread of its own, for a read cannot be called off.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn rest(lines: &Receiver<String>) -> Vec<String> {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest.push(line),
            Err(Disconnected) => return rest,
            Err(Timeout) => panic!("somebody still holds the pipe; so far: {rest:#?}"),
        }
    }
}

/// Names of segments that the servers of this test's programs left behind.
pub fn segments_of(name: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").map_or_else(|_| Vec::new(), Iterator::collect);
    let names = entries.into_iter().filter_map(Result::ok);
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|found| found.contains(name)).collect()
}

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "not so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Writes a file.
pub fn write(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    File::create(path)?.write_all(bytes)
}
