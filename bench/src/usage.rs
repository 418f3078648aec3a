//! What a process has cost so far.

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// CPU time, and how often its threads have gone to sleep by themselves: as often they were woken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_ns: f64,
    pub(crate) wakes: f64,
}

impl Usage {
    pub(crate) fn of(pid: i32) -> Result<Self> {
        let clock = nix::time::clock_getcpuclockid(Pid::from_raw(pid)).context("no CPU clock")?;
        let used = clock_gettime(ClockId::from_raw(clock.as_raw())).context("no CPU time")?;
        let cpu_ns = used.tv_sec() as f64 * 1e9 + used.tv_nsec() as f64;
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).context("the process ended")?;
        let wakes = tasks.flatten().filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        });
        Ok(Self { cpu_ns, wakes: wakes.sum() })
    }
}
