//! What one process of a measurement is told, and what it answers.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Round trips, both sides looking without end.
    RttSpin,
    /// Round trips as a user gets them who tunes nothing.
    RttDefault,
    /// Round trips, nobody spins.
    RttSleep,
    /// Round trips as a user gets them who tunes nothing, both processes on one core.
    RttOneCore,
    /// Small messages one way.
    Notices,
    /// Messages of 64 KiB one way.
    #[serde(rename = "blob-64k")]
    Blob64k,
    /// Messages of 1 MiB one way.
    #[serde(rename = "blob-1m")]
    Blob1m,
    /// Small messages one way, from several processes to one.
    FanIn,
    /// Round trips on one link while others are idle.
    IdleLinks,
    /// Round trips beside others' large messages.
    BesideLarge,
    /// Connecting, to the first reply.
    Connect,
    /// What a pair costs that says nothing.
    Idle,
}

impl Workload {
    /// All of them, in the table's order.
    pub const ALL: [Self; 12] = [
        Self::RttSpin,
        Self::RttDefault,
        Self::RttSleep,
        Self::RttOneCore,
        Self::Notices,
        Self::Blob64k,
        Self::Blob1m,
        Self::FanIn,
        Self::IdleLinks,
        Self::BesideLarge,
        Self::Connect,
        Self::Idle,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RttSpin => "rtt-spin",
            Self::RttDefault => "rtt-default",
            Self::RttSleep => "rtt-sleep",
            Self::RttOneCore => "rtt-one-core",
            Self::Notices => "notices",
            Self::Blob64k => "blob-64k",
            Self::Blob1m => "blob-1m",
            Self::FanIn => "fan-in",
            Self::IdleLinks => "idle-links",
            Self::BesideLarge => "beside-large",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }

    /// How the two sides shall wait.
    #[must_use]
    pub fn waiting(self) -> Waiting {
        match self {
            Self::RttSpin => Waiting::Spin,
            Self::RttSleep => Waiting::Sleep,
            _ => Waiting::Default,
        }
    }

    /// Bytes in one blob; zero where nothing large is sent.
    #[must_use]
    pub fn blob_size(self) -> usize {
        match self {
            Self::Blob64k => 64 << 10,
            Self::Blob1m => 1 << 20,
            _ => 0,
        }
    }
}

/// How a side shall wait for messages, as far as a rival lets its user choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Look without end.
    Spin,
    /// Whatever it does by itself.
    Default,
    /// Sleep at once.
    Sleep,
}

/// Which side a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Waits for clients and answers them.
    Server,
    /// Measures. The number tells the clients of one server apart.
    Client(u64),
    /// Holds so many links and says nothing.
    Bystander(usize),
}

/// What one process of a measurement is told: its only argument, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Which rival, by its name in the table.
    pub peer: String,
    /// What is measured.
    pub workload: Workload,
    /// Which side this process is.
    pub role: Role,
    /// A name that only this run has.
    pub name: String,
    /// A directory in shared memory that only this run has, and that is removed after it.
    pub dir: PathBuf,
    /// The cores that this process may use.
    pub cores: Vec<usize>,
    /// How long to measure.
    pub measure: Duration,
    /// How many client processes there are.
    pub clients: usize,
    /// How many idle links there are beside the measured one.
    pub idle_links: usize,
    /// Bytes in each of the others' large messages; zero where there are none.
    pub large: usize,
}

impl Plan {
    /// A file of this run.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What one client measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
    /// How many round trips, messages or connections.
    pub n: u64,
    /// Median, where single ones were timed.
    pub p50_ns: Option<f64>,
    /// 99th percentile.
    pub p99_ns: Option<f64>,
    /// 99.9th percentile.
    pub p999_ns: Option<f64>,
    /// The longest.
    pub worst_ns: Option<f64>,
    /// How many a second.
    pub per_s: Option<f64>,
    /// Payload in 10^9 bytes a second.
    pub gb_s: Option<f64>,
    /// Start and end on the machine's monotonic clock, for runs with several clients.
    pub span_ns: (u64, u64),
    /// The median's named parts, in nanoseconds.
    pub parts: Vec<(String, f64)>,
    /// The slowest client's part of its fair share.
    pub fair_share: Option<f64>,
}
