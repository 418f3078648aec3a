//! Everything that travels. The two enums are the whole protocol; the rest are values within them.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a client may say to the indexing server.
///
/// Queries are about the asking client's own lines, so their answers do not depend on how far the
/// other clients are.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = IndexEvent)]
pub(crate) enum Index {
    /// From the process that conducts the run, once: the files of each client.
    #[shm(reply = Result<(), RunError>)]
    Plan { files: Vec<Vec<OsString>> },
    /// A client is there; the reply is the files that it is to read.
    #[shm(reply = Result<Vec<OsString>, RunError>)]
    Hello { client: u32 },
    /// The lines that follow are this file's.
    File { path: String },
    /// One line, without its end.
    Line { text: String },
    /// The file is complete; the server asks back how many lines were sent before it replies.
    #[shm(reply = FileTotals)]
    FileEnd,
    /// How often the word stands in the client's lines.
    #[shm(reply = u64)]
    Count { word: String },
    /// The first `limit` of the client's lines with `pattern` in them.
    #[shm(reply = Result<Vec<Hit>, SearchError>)]
    Search { pattern: String, limit: u32 },
    /// The client has made its checks and waits for its turn to measure.
    Checked,
    /// The client has measured.
    Measured,
    /// What the client did and saw: its last message.
    #[shm(reply = Result<(), RunError>)]
    Report { report: Box<Report> },
    /// Everything that the server knows.
    #[shm(reply = Summary)]
    Summary,
    /// The run is over; the server stops.
    Finish,
}

/// What the server may say to its clients. Every event that is broadcast has a number, from 1 on.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub(crate) enum IndexEvent {
    /// All clients are there: begin.
    Start { number: u64 },
    /// So many lines are indexed.
    Progress { number: u64, lines: u64 },
    /// A client's file is complete.
    FileIndexed { number: u64, client: u32, path: String, totals: FileTotals },
    /// It is this client's turn to measure; the others are quiet meanwhile.
    Turn { number: u64, client: u32 },
    /// The last event: all have measured.
    Finished { number: u64 },
    /// The server's question: how many lines has this client sent so far?
    #[shm(reply = u64)]
    LinesSent,
}

/// Lines and bytes of text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileTotals {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// A line that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hit {
    /// The file's number among the client's files, from 0 on.
    pub(crate) file: u32,
    /// The line's number in its file, from 1 on.
    pub(crate) line: u64,
    /// How the line begins.
    pub(crate) excerpt: String,
}

/// Why a search was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SearchError {
    EmptyPattern,
}

/// What does not fit the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum RunError {
    #[error("the run has its plan already")]
    PlannedBefore,
    #[error("client {0} is not in the plan")]
    NotPlanned(u32),
    #[error("client {0} is there already")]
    TwiceThere(u32),
    #[error("only a client that said hello can do this")]
    NoHello,
}

/// Messages by kind, as one side counted them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Notices from the client.
    pub(crate) notices: u64,
    /// Requests from the client; each has a reply.
    pub(crate) requests: u64,
    /// Events to the client.
    pub(crate) events: u64,
    /// Questions from the server to the client; each has a reply.
    pub(crate) callbacks: u64,
}

impl Traffic {
    /// All messages: replies are messages too.
    pub(crate) fn messages(&self) -> u64 {
        self.notices + 2 * self.requests + self.events + 2 * self.callbacks
    }
}

/// A client's account of what it did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) files: u64,
    pub(crate) totals: FileTotals,
    /// Words in the lines sent.
    pub(crate) words: u64,
    pub(crate) traffic: Traffic,
    /// Answers that were compared with what the client computed itself.
    pub(crate) checks: u64,
    pub(crate) mismatches: Vec<String>,
    /// The round trips: nanoseconds and how many took so long.
    pub(crate) round_trips: Vec<(u64, u64)>,
}

/// The server's account of one client, with the client's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) client: u32,
    pub(crate) pid: u32,
    pub(crate) files: u64,
    pub(crate) totals: FileTotals,
    pub(crate) words: u64,
    pub(crate) traffic: Traffic,
    pub(crate) report: Option<Box<Report>>,
}

/// What the server knows of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// In the order of the clients' numbers.
    pub(crate) accounts: Vec<Account>,
    /// The totals of all clients together, counted line by line as they came.
    pub(crate) totals: FileTotals,
    pub(crate) words: u64,
    /// Number of the last event.
    pub(crate) events: u64,
    /// What the server found wrong.
    pub(crate) mismatches: Vec<String>,
}
