//! What it was measured on.

use std::process::Command;
use std::time::Instant;

/// The machine in a few lines: name and value.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("processor", processor()),
        ("cores", cores.to_string()),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("virtual", if is_virtual() { "yes" } else { "no" }.into()),
        ("compiler", said("rustc", &["--version"])),
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("reading the clock", format!("{:.0} ns, twice in each timed round trip", clock_ns())),
    ]
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.into(), |(_, model)| model.trim().into())
}

fn is_virtual() -> bool {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"))
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").into()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}

fn clock_ns() -> f64 {
    const READINGS: u32 = 100_000;
    let started = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_nanos() as f64 / f64::from(READINGS)
}
