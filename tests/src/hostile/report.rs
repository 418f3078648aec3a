//! What a run comes to.

use serde::{Deserialize, Serialize};

use super::attacker::Tally;
use super::honest::Account;
use super::reverse::Account as Victim;
use super::users::Account as Users;

/// What a process holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    pub private_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
}

impl Holdings {
    /// Of a process just now.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let status = format!("/proc/{pid}/status");
        Self {
            private_kib: crate::status(&status, "RssAnon").unwrap_or(0),
            descriptors: crate::descriptors(pid) as u64,
            threads: crate::threads(pid),
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            private_kib: self.private_kib.max(other.private_kib),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
        }
    }
}

/// A whole run.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Report {
    pub seed: u64,
    pub seconds: f64,
    pub tally: Tally,
    pub honest: Account,
    /// The server before, at its most, and after.
    pub before: Holdings,
    pub peak: Holdings,
    pub after: Holdings,
    /// Most private memory that the server's options allow its links, in KiB.
    pub budget_kib: u64,
    /// Links' names of this run that stayed in shared memory.
    pub leaked_names: u64,
    /// A hostile server against an honest client.
    pub reverse: Victim,
    /// Users who would pass for others.
    pub users: Users,
    /// Everything that should not have been.
    pub faults: Vec<String>,
}

impl Report {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { tally, honest, before, peak, after, reverse, .. } = self;
        let mut lines = vec![
            format!("seed {}, {:.1} s", self.seed, self.seconds),
            format!(
                "{} hostile sessions: {} accused, {} served to the end, {} let go, {} not let in",
                tally.sessions, tally.accused, tally.served, tally.whatever, tally.refused
            ),
        ];
        lines.extend(tally.attacks.iter().map(|(name, count)| format!("  {count:6} {name}")));
        lines.extend([
            format!(
                "honest client: {} calls, all right, slowest {:.1} ms; {} new links, {} refused",
                honest.calls, honest.slowest_ms, honest.connects, honest.connects_refused
            ),
            format!(
                "server's private memory: {} KiB before, {} at most (budget {}), {} after",
                before.private_kib, peak.private_kib, self.budget_kib, after.private_kib
            ),
            format!(
                "its descriptors: {}, {}, {}; threads: {}, {}, {}; names left: {}",
                before.descriptors,
                peak.descriptors,
                after.descriptors,
                before.threads,
                peak.threads,
                after.threads,
                self.leaked_names
            ),
            format!(
                "hostile server: {} sessions, {} connects refused with an error, {} calls \
                 answered, {} ended in an error, slowest {:.0} ms",
                reverse.sessions,
                reverse.connects_refused,
                reverse.calls_answered,
                reverse.calls_failed,
                reverse.slowest_ms
            ),
            match self.users.skipped {
                true => "users who would pass for others: needs root, not tried".into(),
                false => format!(
                    "users who would pass for others: {} refused, {} honest let in",
                    self.users.refused, self.users.honest
                ),
            },
            format!("faults: {}", self.faults.len()),
        ]);
        lines.extend(self.faults.iter().map(|fault| format!("  {fault}")));
        lines.join("\n")
    }
}
