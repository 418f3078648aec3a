//! What the sweep found.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::plan::{Side, entries};

/// What can be wrong after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Somebody waited in vain: for a reply, for the victim's end, for a name to be free, for a
    /// link.
    Hung,
    Lost,
    Repeated,
    Damaged,
    /// A request ran and its caller was told that it did not start, or the other way round; or an
    /// error that no kill explains.
    WrongOutcome,
    LeakedNames,
    /// Descriptors, threads or memory.
    LeakedFds,
    DisturbedOthers,
}

const FAULTS: [(Fault, &str); 8] = [
    (Fault::Hung, "hung"),
    (Fault::Lost, "lost"),
    (Fault::Repeated, "repeated"),
    (Fault::Damaged, "damaged"),
    (Fault::WrongOutcome, "wrong_outcome"),
    (Fault::LeakedNames, "leaked_names"),
    (Fault::LeakedFds, "leaked_fds"),
    (Fault::DisturbedOthers, "disturbed_others"),
];

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        FAULTS.iter().find(|(fault, _)| *fault == self).map_or("", |(_, name)| name)
    }
}

/// The slowest notices that are told.
const SLOWEST: usize = 5;

/// Counts of everything.
pub(crate) struct Tally {
    pub(crate) trials: u64,
    faults: HashMap<&'static str, u64>,
    /// Times of notice in microseconds.
    notice: Histogram<u64>,
    /// The slowest notices, and in which trial.
    slowest: Vec<(Duration, String)>,
    /// The slowest, without what the machine was late.
    pub(crate) slowest_own: Duration,
    hits: HashMap<(&'static str, Side), u64>,
    /// Kills at random moments, by side.
    pub(crate) moments: [u64; 2],
}

impl Tally {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            trials: 0,
            faults: HashMap::new(),
            notice: Histogram::new_with_bounds(1, 3_600_000_000, 3)?,
            slowest: Vec::new(),
            slowest_own: Duration::ZERO,
            hits: HashMap::new(),
            moments: [0; 2],
        })
    }

    pub(crate) fn count(&mut self, fault: Fault, times: u64) {
        *self.faults.entry(fault.name()).or_default() += times;
    }

    pub(crate) fn hit(&mut self, step: &'static str, side: Side) {
        *self.hits.entry((step, side)).or_default() += 1;
    }

    pub(crate) fn hits(&self, step: &'static str, side: Side) -> u64 {
        self.hits.get(&(step, side)).copied().unwrap_or(0)
    }

    /// Somebody noticed a death, in a trial in which the machine was late by `stall`.
    pub(crate) fn noticed_after(&mut self, notice: Duration, stall: Duration, trial: String) {
        self.notice.saturating_record(notice.as_micros() as u64);
        let own = notice.saturating_sub(stall);
        self.slowest_own = self.slowest_own.max(own);
        self.slowest.push((notice, format!("{trial}; the machine was late by {stall:.2?}")));
        self.slowest.sort_by_key(|(notice, _)| std::cmp::Reverse(*notice));
        self.slowest.truncate(SLOWEST);
    }

    pub(crate) fn kills_at_moments(&self) -> u64 {
        self.moments.iter().sum()
    }

    fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Steps at which somebody was killed.
    fn steps(&self) -> usize {
        let names: std::collections::HashSet<_> = self.hits.keys().map(|(name, _)| name).collect();
        names.len()
    }

    /// Steps of the sides at which fewer than `rounds` were killed.
    pub(crate) fn short_of(&self, rounds: u64) -> Vec<String> {
        let short = entries().into_iter().filter(|(name, side, _)| self.hits(name, *side) < rounds);
        short.map(|(name, side, _)| format!("{name} ({side:?})")).collect()
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.faults() == 0
    }

    fn millis(&self, quantile: f64) -> f64 {
        self.notice.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn slowest_millis(&self) -> f64 {
        self.notice.max() as f64 / 1000.0
    }

    /// The one object, with exactly these keys.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({
            "trials": self.trials,
            "steps": self.steps(),
            "notice_ms_p50": self.millis(0.5),
            "notice_ms_p99": self.millis(0.99),
            "notice_ms_max": self.slowest_millis(),
        });
        for (_, name) in FAULTS {
            object[name] = json!(self.faults.get(name).copied().unwrap_or(0));
        }
        object
    }

    /// The same for people.
    pub(crate) fn to_text(&self) -> String {
        let at_steps: u64 = self.hits.values().sum();
        let [clients, servers] = self.moments;
        let mut text = format!(
            "{} kills: {at_steps} at {} steps ({} steps of a side), {} at random moments \
             ({clients} clients, {servers} servers)\n",
            self.trials,
            self.steps(),
            self.hits.len(),
            clients + servers,
        );
        for (_, name) in FAULTS {
            text += &format!("  {name:<17} {}\n", self.faults.get(name).copied().unwrap_or(0));
        }
        text += &format!(
            "  noticed by all survivors after: p50 {:.2} ms, p99 {:.2} ms, at most {:.2} ms ({} \
             kills)",
            self.millis(0.5),
            self.millis(0.99),
            self.slowest_millis(),
            self.notice.len(),
        );
        for (notice, trial) in &self.slowest {
            text += &format!("\n    {notice:.2?}: {trial}");
        }
        text
    }
}
