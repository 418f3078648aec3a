//! What the soak's processes say to each other, and how they check it.

#![allow(missing_docs, reason = "the fields of the variants say it all")]

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;
use shmipc_tests::protocol::pattern;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = SoakEvent)]
pub(crate) enum Soak {
    /// The next one of this client's notes.
    Note { number: u64, bytes: Vec<u8> },
    /// What came of this client's notes.
    #[shm(reply = Row)]
    Notes,
    /// The bytes back.
    #[shm(reply = Vec<u8>)]
    Echo { bytes: Vec<u8> },
    /// The server asks the caller to double the value, from inside the handler.
    #[shm(reply = u64)]
    AskBack { value: u64 },
    /// The number of the next event.
    #[shm(reply = u64)]
    NextEvent,
    /// How many are linked, how many came so far, and how many of them were sent away.
    #[shm(reply = (u64, u64, u64))]
    Visitors,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub(crate) enum SoakEvent {
    /// The next one of the broadcasts.
    Tick { number: u64, bytes: Vec<u8> },
    /// Twice the value, please.
    #[shm(reply = u64)]
    Double { value: u64 },
}

/// A numbered row of messages as its receiver saw it. All but `came` and `missed` are faults.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The number that comes next; `None` before the first.
    pub(crate) next: Option<u64>,
    pub(crate) came: u64,
    /// Told to be missing, at their place.
    pub(crate) missed: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) damaged: u64,
}

impl Row {
    /// A row that begins with zero.
    pub(crate) fn from_zero() -> Self {
        Self { next: Some(0), ..Self::default() }
    }

    pub(crate) fn take(&mut self, number: u64, bytes: &[u8]) {
        let next = self.next.unwrap_or(number);
        self.came += 1;
        self.lost += number.saturating_sub(next);
        self.repeated += u64::from(number < next);
        self.damaged += u64::from(!is_whole(bytes));
        self.next = Some(next.max(number + 1));
    }

    pub(crate) fn miss(&mut self, count: u64) {
        self.missed += count;
        if let Some(next) = &mut self.next {
            *next += count;
        }
    }

    /// No faults so far?
    pub(crate) fn is_whole(&self) -> bool {
        self.lost + self.repeated + self.damaged == 0
    }
}

/// Are these bytes a `pattern`? Each tells its length.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    bytes == pattern(bytes.len())
}

/// Rows by client.
pub(crate) type Rows = HashMap<u64, Row>;

/// What an honest client says of itself when it pauses.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) notes: u64,
    pub(crate) calls: u64,
    pub(crate) events: u64,
    pub(crate) missed: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) damaged: u64,
    /// Sends and calls that failed and must not.
    pub(crate) failed: u64,
    /// Questions of ours that the server was to ask back, and those of them without an answer in
    /// time.
    pub(crate) called_back: u64,
    pub(crate) not_called_back: u64,
    /// Links made.
    pub(crate) links: u64,
    /// Clients that came to the server so far, and those of them that it sent away.
    pub(crate) visitors: u64,
    pub(crate) sent_away: u64,
}

impl Report {
    pub(crate) fn add_faults(&mut self, row: &Row) {
        self.lost += row.lost;
        self.repeated += row.repeated;
        self.damaged += row.damaged;
    }
}

/// A generator of the usual kind (xorshift64): a run is told by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero; close seeds are to differ.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Mostly small, now and then larger than a ring.
    pub(crate) fn size(&mut self) -> usize {
        let most = match self.below(100) {
            0 => 1 << 20,
            1..=4 => 100_000,
            5..=20 => 5_000,
            _ => 200,
        };
        self.below(most) as usize
    }
}
