//! A child process that does not outlive its guard.

use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Pause between two looks at a process that should end.
const LOOK: Duration = Duration::from_millis(5);

/// A child process; killed and reaped when this is dropped.
///
/// This covers every way in which the parent ends in an orderly manner. For a parent that is killed
/// the children see to it themselves: they end when their link does.
#[derive(Debug)]
#[must_use = "dropping it kills the process"]
pub struct ChildGuard {
    child: Child,
    name: String,
}

impl ChildGuard {
    /// Starts this very program again, with other arguments. The child has no input and no standard
    /// output; what it says on standard error is seen.
    ///
    /// # Errors
    /// The program is not found any more, or the system has no room for a process.
    pub fn start_self<I, A>(name: &str, arguments: I) -> Result<Self>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {} as {name}", program.display()))?;
        Ok(Self { child, name: name.into() })
    }

    /// What the process is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the process has ended.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait();
        status.with_context(|| format!("cannot ask how {} is", self.name))
    }

    /// Fails if the process has ended with a failure. `true`: it has ended well.
    ///
    /// # Errors
    /// It failed, or the system cannot tell.
    pub fn has_succeeded(&mut self) -> Result<bool> {
        match self.ended()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("{} (pid {}) failed: {status}", self.name, self.pid()),
        }
    }

    /// Waits for the process to end well.
    ///
    /// # Errors
    /// It failed, or it still runs after `patience`; then it is killed.
    pub fn wait(mut self, patience: Duration) -> Result<()> {
        let started = Instant::now();
        while !self.has_succeeded()? {
            if started.elapsed() >= patience {
                bail!("{} (pid {}) did not end within {patience:?}", self.name, self.pid());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
