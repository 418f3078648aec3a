//! What the kernel counts, from `/proc`.

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use procfs::{Current as _, CurrentSI as _, KernelStats, Meminfo};

use super::protocol::{Machine, Sample};

/// Nanoseconds of the clock that all processes of this machine have in common.
pub(super) fn now() -> u64 {
    // This clock cannot fail on Linux; zero would show as a sample of great age.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from);
    time.map_or(0, |time| time.as_nanos() as u64)
}

/// What is measured here, so many times a second.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn describe(rate: u32) -> Result<Machine> {
    let memory = Meminfo::current().context("cannot read /proc/meminfo")?.mem_total;
    let processors = KernelStats::current().context("cannot read /proc/stat")?.cpu_time.len();
    Ok(Machine { processors: processors as u32, memory, rate })
}

/// What the kernel has counted until now.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn measure(number: u64) -> Result<Sample> {
    let taken = now();
    let stats = KernelStats::current().context("cannot read /proc/stat")?;
    let memory = Meminfo::current().context("cannot read /proc/meminfo")?;
    let devices = procfs::net::dev_status().context("cannot read /proc/net/dev")?;
    let cpu = &stats.total;
    let busy = cpu.user + cpu.nice + cpu.system + cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
    Ok(Sample {
        number,
        taken,
        busy,
        memory: memory.mem_total.saturating_sub(memory.mem_available.unwrap_or(memory.mem_free)),
        received: devices.values().map(|device| device.recv_bytes).sum(),
        sent: devices.values().map(|device| device.sent_bytes).sum(),
        switches: stats.ctxt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_only_grows() {
        let machine = describe(1000).expect("Linux has a /proc");
        assert!(machine.processors > 0 && machine.memory > 0);
        let (before, after) = (measure(0).expect("it can be read"), measure(1).expect("again"));
        assert!(after.taken > before.taken && after.switches >= before.switches);
        assert!(after.busy >= before.busy && after.received >= before.received);
        assert!(after.memory > 0 && after.memory < machine.memory);
    }
}
