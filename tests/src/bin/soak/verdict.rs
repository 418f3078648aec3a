//! What a run showed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use shmipc_tests::{descriptors, status, threads};

use crate::protocol::Report;

/// Growth of resident memory that is no leak: allocators and page tables move by as much. After a
/// warm-up of seconds not every buffer has had its largest message yet.
fn slack_kib(minutes: f64) -> i64 {
    if minutes < 1.0 { 16 << 10 } else { 6 << 10 }
}

/// A process's memory in KiB, descriptors and threads.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Size {
    pub(crate) resident_kib: i64,
    pub(crate) descriptors: i64,
    pub(crate) threads: i64,
}

impl Size {
    pub(crate) fn of(pid: u32) -> Self {
        let path = format!("/proc/{pid}/status");
        let field = |name| status(&path, name).map_or(0, |value| value as i64);
        Self {
            resident_kib: field("VmRSS"),
            descriptors: descriptors(pid) as i64,
            threads: threads(pid) as i64,
        }
    }
}

/// One long-lived process, after the warm-up and at the end.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Growth {
    pub(crate) before: Size,
    pub(crate) after: Size,
}

impl Growth {
    fn is_none(&self, slack_kib: i64) -> bool {
        self.after.descriptors == self.before.descriptors
            && self.after.threads == self.before.threads
            && self.after.resident_kib <= self.before.resident_kib + slack_kib
    }
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) minutes: f64,
    pub(crate) seed: u64,
    pub(crate) clients_killed: u64,
    pub(crate) servers_killed: u64,
    pub(crate) clients_stopped: u64,
    /// What the honest clients counted and found, of all of them.
    #[serde(flatten)]
    pub(crate) report: Report,
    /// Processes that ended otherwise than they were to.
    pub(crate) wrong_ends: Vec<String>,
    pub(crate) leaked_names: Vec<String>,
    pub(crate) processes: BTreeMap<String, Growth>,
}

impl Verdict {
    pub(crate) fn add(&mut self, other: &Report) {
        let sum = &mut self.report;
        sum.notes += other.notes;
        sum.calls += other.calls;
        sum.events += other.events;
        sum.missed += other.missed;
        sum.lost += other.lost;
        sum.repeated += other.repeated;
        sum.damaged += other.damaged;
        sum.failed += other.failed;
        sum.called_back += other.called_back;
        sum.not_called_back += other.not_called_back;
        sum.links += other.links;
        // The servers' own counts, which each of their clients tells.
        sum.visitors = sum.visitors.max(other.visitors);
        sum.sent_away = sum.sent_away.max(other.sent_away);
    }

    pub(crate) fn is_good(&self) -> bool {
        let Report { lost, repeated, damaged, failed, notes, calls, events, .. } = self.report;
        let Report { called_back, not_called_back, sent_away, .. } = self.report;
        lost + repeated + damaged + failed == 0
            && notes.min(calls).min(events) > 0
            // Most were answered, and those that were to be killed, stopped and sent away were.
            && called_back > 2 * not_called_back
            && self.clients_killed.min(self.servers_killed).min(self.clients_stopped) > 0
            && sent_away > 0
            && self.wrong_ends.is_empty()
            && self.leaked_names.is_empty()
            && self.processes.values().all(|growth| growth.is_none(slack_kib(self.minutes)))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        writeln!(
            f,
            "{} clients killed, {} servers killed, {} clients stopped for a while",
            self.clients_killed, self.servers_killed, self.clients_stopped
        )?;
        writeln!(
            f,
            "{} clients came to the steady server, {} of them were sent away",
            report.visitors, report.sent_away
        )?;
        writeln!(
            f,
            "{} notes, {} calls, {} events and {} told as missed, over {} links",
            report.notes, report.calls, report.events, report.missed, report.links
        )?;
        writeln!(
            f,
            "lost {}, repeated {}, damaged {}, failed {}, left in shared memory {:?}, ended wrong \
             {:?}",
            report.lost,
            report.repeated,
            report.damaged,
            report.failed,
            self.leaked_names,
            self.wrong_ends
        )?;
        for (name, Growth { before, after }) in &self.processes {
            writeln!(
                f,
                "{name}: {} KiB then {}, {} descriptors then {}, {} threads then {}",
                before.resident_kib,
                after.resident_kib,
                before.descriptors,
                after.descriptors,
                before.threads,
                after.threads
            )?;
        }
        f.write_str(if self.is_good() { "good" } else { "NOT GOOD" })
    }
}
