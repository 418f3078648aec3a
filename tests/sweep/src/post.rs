//! Those who outlive the trials: the steady servers with their bystanders, and the workers; and
//! whether they are what they were.

use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::process::Process;

/// How long anything may take that is to happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Trials after which a survivor's memory counts as its normal one.
const WARM: u64 = 60;
/// Growth of resident memory that is the allocator's business.
const SLACK_KIB: u64 = 24 << 10;

/// A process that outlives trials, and what it was like before.
pub(crate) struct Survivor {
    pub(crate) process: Process,
    normal: Option<(usize, usize)>,
    memory: Option<u64>,
    trials: u64,
}

impl Survivor {
    pub(crate) fn new(process: Process) -> Self {
        Self { process, normal: None, memory: None, trials: 0 }
    }

    /// Descriptors and threads.
    fn facts(&self) -> (usize, usize) {
        (self.process.descriptors(), self.threads().len())
    }

    /// Its threads' names.
    fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.pid()));
        let tasks = tasks.into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim().to_owned()).collect()
    }

    /// Names of its threads, and where its descriptors lead.
    fn details(&self) -> String {
        let pid = self.process.pid();
        let list = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}"));
        let descriptors = list("fd").into_iter().flatten().flatten();
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        format!("{:?} {:?}", self.threads(), targets.collect::<Vec<_>>())
    }

    /// To be called when it should be idle again: what is not as it was?
    pub(crate) fn complaint(&mut self) -> Option<String> {
        self.trials += 1;
        if self.trials <= 2 {
            // What it makes once for good is made by now.
            thread::sleep(Duration::from_millis(50));
            self.normal = Some(self.facts());
            return None;
        }
        let normal = *self.normal.get_or_insert((0, 0));
        let mut facts = self.facts();
        if !until(Duration::from_secs(3), || {
            facts = self.facts();
            facts == normal
        }) {
            // Told once.
            self.normal = Some(facts);
            let details = self.details();
            return Some(format!("descriptors and threads: {normal:?}, then {facts:?}: {details}"));
        }
        if self.trials == WARM || self.trials > WARM && self.trials.is_multiple_of(50) {
            let now = self.process.resident();
            let before = *self.memory.get_or_insert(now);
            if now > before + SLACK_KIB {
                self.memory = Some(now);
                return Some(format!("resident memory: {before} KiB, then {now} KiB"));
            }
        }
        None
    }

    /// Resident memory in KiB when it was warm, and now.
    pub(crate) fn memory(&self) -> Option<(u64, u64)> {
        Some((self.memory?, self.process.resident()))
    }
}

/// A steady server and its bystander.
pub(crate) struct Post {
    pub(crate) name: String,
    pub(crate) server: Survivor,
    pub(crate) bystander: Process,
}

impl Post {
    pub(crate) fn start(name: String, event: bool, ledger: &OwnedFd) -> anyhow::Result<Self> {
        let ring = if event { "4096" } else { "16384" };
        let mut arguments = role("serve", &name, ledger);
        arguments.extend(["--survives", "--ring", ring].map(String::from));
        // One that sleeps at once, and one that looks for a while first.
        arguments.push(if event { "--event" } else { "--spins" }.into());
        let mut server = Process::start(&arguments)?;
        ensure!(server.line(PATIENCE).as_deref() == Some("ready"), "a server did not start");
        let mut bystander = Process::start(&role("bystander", &name, ledger))?;
        ensure!(bystander.line(PATIENCE).as_deref() == Some("standing"), "no bystander");
        Ok(Self { name, server: Survivor::new(server), bystander })
    }
}

/// The arguments that every role takes.
pub(crate) fn role(role: &str, name: &str, ledger: &OwnedFd) -> Vec<String> {
    let ledger = ledger.as_raw_fd().to_string();
    [role, "--name", name, "--ledger", &ledger].map(String::from).to_vec()
}

/// Looks again and again; `false`: not within `patience`. A machine that stood still meanwhile is
/// not held against anybody: so many looks must have been in vain, too.
pub(crate) fn until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    const LOOKS: u32 = 1_000;
    let started = Instant::now();
    let mut looks = 0;
    while !holds() {
        looks += 1;
        if looks > LOOKS && started.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_micros(100));
    }
    true
}
