//! Peers as real processes.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running `peer` process. Dropping it kills it.
#[derive(Debug)]
pub struct PeerProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl PeerProcess {
    /// Starts the `peer` program (`env!("CARGO_BIN_EXE_peer")`) with these arguments.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(program: &str, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its next line of output, without the line's end.
    ///
    /// # Errors
    /// It ended, or its output is no text.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Gives it a line of input.
    ///
    /// # Errors
    /// It ended.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}")?;
        input.flush()
    }

    /// Sends it a signal.
    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Stops it, and waits until the kernel has stopped it.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        let is_stopped =
            |stat: String| stat.rsplit(')').next().is_some_and(|s| s.starts_with(" T"));
        while !std::fs::read_to_string(&stat).map_or(true, is_stopped) {
            std::thread::yield_now();
        }
    }

    /// Lets it go on after [`stop`](Self::stop).
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }

    /// How it ended, if it has ended by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end; `true`: it succeeded.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait(mut self) -> io::Result<bool> {
        self.input = None;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a shell script where `/dev/shm` has one mebibyte, in a mount namespace of its own, and
/// gives what it printed. `None`: this system does not let us; why was printed.
///
/// # Panics
/// The script failed.
#[must_use]
pub fn in_a_small_shared_memory(script: &str) -> Option<String> {
    in_a_mount_namespace(&format!("mount -t tmpfs -o size=1m tmpfs /dev/shm && {script}"))
}

/// Runs a shell script in a mount namespace of its own, where it may mount what it likes, and gives
/// what it printed. `None`: this system does not let us; why was printed.
///
/// # Panics
/// The script failed.
#[must_use]
pub fn in_a_mount_namespace(script: &str) -> Option<String> {
    // Root needs no user namespace, and some systems give nobody else one.
    let user: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    };
    let arguments = [user, &["--mount", "sh", "-c", script]].concat();
    let output = match Command::new("unshare").args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            skipped(&format!("no `unshare` ({error})"));
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unshare:") || errors.contains("mount:") {
        skipped(&format!("no mount namespace here ({errors})"));
        return None;
    }
    assert!(output.status.success(), "{}: {text}{errors}", output.status);
    Some(text)
}

/// Says on the error output, which is not captured, that something could not be tested here. Where
/// all of it was asked for (`SHMIPC_DEEP`, as in `ci/deep`) that is a failure.
///
/// # Panics
/// All of it was asked for.
#[allow(clippy::panic, reason = "a test fails by panicking")]
pub fn skipped(why: &str) {
    // Past the harness, which captures what goes through the macros.
    drop(writeln!(io::stderr(), "skipped: {why}"));
    assert!(!crate::is_deep(), "cannot be tested here: {why}");
}
