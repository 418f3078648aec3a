//! The conductor: starts everybody, watches the server, and says what came of it.

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use shmipc::Client;

use super::attacker::{Tally, mark};
use super::protocol::{Rich, RichClient};
use super::report::{Holdings, Report};
use super::serve::BUDGET;

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub sessions: u64,
    pub reverse: u64,
    pub first: u64,
    pub seed: u64,
    pub attackers: u64,
}

/// Nobody's silence may last longer.
const SILENCE: Duration = Duration::from_secs(60);
/// Beyond the memory before: what the allocator keeps, and the buffers that the standing links
/// keep.
const KEPT_KIB: u64 = 48 << 10;

/// Another role of this very program. Dropping it kills it.
struct Role {
    child: Child,
    lines: Arc<Lines>,
}

/// What a role printed, and how often.
#[derive(Default)]
struct Lines {
    last: Mutex<String>,
    count: AtomicU64,
    ended: AtomicBool,
}

impl Role {
    fn start(program: &str, arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let lines = Arc::new(Lines::default());
        let told = lines.clone();
        thread::spawn(move || listen(output, &told));
        Ok(Self { child, lines })
    }

    fn count(&self) -> u64 {
        self.lines.count.load(Ordering::Acquire)
    }

    fn has_ended(&self) -> bool {
        self.lines.ended.load(Ordering::Acquire)
    }

    fn wait_for_lines(&self, count: u64) -> Result<(), String> {
        let started = Instant::now();
        while self.count() < count {
            if self.has_ended() || started.elapsed() > SILENCE {
                return Err("it ended, or said nothing".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Ends its input, waits for its end, and reads its last line.
    fn finish<T: DeserializeOwned>(mut self, who: &str) -> Result<T, String> {
        drop(self.child.stdin.take());
        let started = Instant::now();
        while !self.has_ended() {
            if started.elapsed() > SILENCE {
                return Err(format!("{who} hung"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("{who} failed ({status}); its error stands above"));
        }
        let line = self.lines.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        serde_json::from_str(&line).map_err(|error| format!("{who} said {line:?}: {error}"))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: impl Read, lines: &Lines) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        *lines.last.lock().unwrap_or_else(PoisonError::into_inner) = line;
        lines.count.fetch_add(1, Ordering::Release);
    }
    lines.ended.store(true, Ordering::Release);
}

fn arguments(words: &[&dyn ToString]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// Runs everything; `program` is `hostile-run`, which plays all roles.
///
/// # Errors
/// The run itself failed; broken guarantees are in the report.
pub fn run(program: &str, wanted: Wanted) -> Result<Report, Box<dyn Error>> {
    let started = Instant::now();
    let name = crate::unique_name("hostile-run");
    let mut report =
        Report { seed: wanted.seed, budget_kib: (BUDGET >> 10) as u64, ..Report::default() };
    if let Err(fault) = forward(program, &name, wanted, &mut report) {
        report.faults.push(fault);
    }
    match super::users::run(program) {
        Ok(account) => report.users = account,
        Err(fault) => report.faults.push(fault),
    }
    if wanted.reverse > 0 {
        match reverse(program, &format!("{name}-reverse"), wanted) {
            Ok(account) => report.reverse = account,
            Err(fault) => report.faults.push(fault),
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    // Of single sessions that are looked at again nothing is expected.
    if wanted.sessions >= 100 {
        let idle = idleness(&report, wanted);
        report.faults.extend(idle.map(|what| format!("the run shows nothing: {what}")));
    }
    Ok(report)
}

/// Whether attacks came through at all, and honest calls: a run in which all was refused proves
/// nothing.
fn idleness(report: &Report, wanted: Wanted) -> Option<&'static str> {
    let Report { tally, honest, reverse, .. } = report;
    let enough = |count: u64, of: u64| count >= of / 10;
    if tally.sessions != wanted.sessions {
        Some("not all sessions took place")
    } else if !enough(tally.accused, wanted.sessions) || !enough(tally.served, wanted.sessions) {
        Some("hardly any attacker got in")
    } else if !enough(honest.calls, wanted.sessions) || honest.connects == 0 {
        Some("the honest client hardly called")
    } else if !enough(reverse.calls_failed, wanted.reverse) {
        Some("the hostile server hardly met anybody")
    } else {
        None
    }
}

fn forward(program: &str, name: &str, wanted: Wanted, report: &mut Report) -> Result<(), String> {
    let text = |error: Box<dyn Error>| error.to_string();
    let server = Role::start(program, &arguments(&[&"serve", &name])).map_err(text)?;
    server.wait_for_lines(1)?;
    let honest = Role::start(program, &arguments(&[&"honest", &name])).map_err(text)?;
    honest.wait_for_lines(1)?;
    thread::sleep(Duration::from_millis(300));
    let pid = server.child.id();
    report.before = Holdings::of(pid);
    report.peak = report.before;
    let attackers: Vec<Role> = (0..wanted.attackers)
        .map(|attacker| {
            let (first, end) = (wanted.first + attacker, wanted.first + wanted.sessions);
            let step = wanted.attackers;
            Role::start(program, &arguments(&[&"attack", &name, &wanted.seed, &first, &step, &end]))
        })
        .collect::<Result<_, _>>()
        .map_err(text)?;
    watch(&server, &honest, &attackers, report)?;
    for attacker in attackers {
        match attacker.finish::<Tally>("an attacker") {
            Ok(tally) => report.tally.add(&tally),
            Err(fault) => report.faults.push(fault),
        }
    }
    report.honest = honest.finish("the honest client")?;
    settle(name, pid, report)?;
    server.finish::<serde_json::Value>("the server").map(drop)
}

/// Looks at the server until all attackers ended.
fn watch(
    server: &Role,
    honest: &Role,
    attackers: &[Role],
    report: &mut Report,
) -> Result<(), String> {
    let (mut said, mut heard) = (0, Instant::now());
    while !attackers.iter().all(Role::has_ended) {
        if server.has_ended() {
            return Err("the server ended while it was attacked".into());
        }
        if honest.has_ended() {
            return Err("the honest client was disturbed; its error stands above".into());
        }
        report.peak = report.peak.most(Holdings::of(server.child.id()));
        if report.peak.private_kib > report.before.private_kib + report.budget_kib {
            return Err(format!("the server took {} KiB", report.peak.private_kib));
        }
        let now = attackers.iter().map(Role::count).sum();
        if now != said {
            (said, heard) = (now, Instant::now());
        } else if heard.elapsed() > SILENCE {
            return Err("the attackers made no progress: somebody hangs".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// After the attack: everything is as it was, and the next client is served.
fn settle(name: &str, pid: u32, report: &mut Report) -> Result<(), String> {
    let client = Client::<Rich>::connect(name).map_err(|error| format!("afterwards: {error}"))?;
    client.next(0).map_err(|error| format!("afterwards: {error}"))?;
    // This client's link stands for the honest one's.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        report.after = Holdings::of(pid);
        report.leaked_names = leaked(name);
        let Holdings { private_kib, descriptors, threads } = report.after;
        let even = descriptors <= report.before.descriptors
            && threads <= report.before.threads
            && private_kib <= report.before.private_kib + KEPT_KIB
            && report.leaked_names == 0;
        if even {
            return Ok(());
        }
        if Instant::now() > deadline {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let open = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            return Err(format!(
                "the server holds more than before; open are {:?}",
                open.collect::<Vec<_>>()
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Names of this run's links in shared memory.
fn leaked(name: &str) -> u64 {
    let prefix = format!("shmipc.l.{:016x}", mark(name));
    crate::segment_names().iter().filter(|name| name.starts_with(&prefix)).count() as u64
}

fn reverse(program: &str, name: &str, wanted: Wanted) -> Result<super::reverse::Account, String> {
    let text = |error: Box<dyn Error>| error.to_string();
    let server = Role::start(program, &arguments(&[&"hostile-server", &name, &wanted.seed]))
        .map_err(text)?;
    server.wait_for_lines(1)?;
    let victim =
        Role::start(program, &arguments(&[&"victim", &name, &wanted.reverse])).map_err(text)?;
    let (mut said, mut heard) = (0, Instant::now());
    let mut peak = 0;
    while !victim.has_ended() {
        if server.has_ended() {
            return Err("the hostile server died of itself".into());
        }
        peak = peak.max(Holdings::of(victim.child.id()).private_kib);
        if victim.count() != said {
            (said, heard) = (victim.count(), Instant::now());
        } else if heard.elapsed() > SILENCE {
            return Err("the client of a hostile server hangs".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = std::fs::remove_file(super::registry::path(name));
    if peak > 256 << 10 {
        return Err(format!("the client of a hostile server took {peak} KiB"));
    }
    victim.finish("the client of a hostile server")
}
