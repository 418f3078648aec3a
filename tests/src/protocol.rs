//! The tests' protocol.

#![allow(missing_docs, reason = "the fields of the variants say it all")]

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a client may ask of the tests' server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ShmMessage)]
#[shm(events = ProbeEvent)]
pub enum Probe {
    /// The next number of a thread of a client.
    Number { thread: u32, number: u64 },
    /// How many numbers came from this client, and how many of them out of order.
    #[shm(reply = (u64, u64))]
    Numbers,
    /// The bytes back.
    #[shm(reply = Vec<u8>)]
    Echo { bytes: Vec<u8> },
    /// Bytes for which nobody waits; counted.
    Bytes { bytes: Vec<u8> },
    /// How many bytes came in `Bytes`, and a checksum over all of them in order.
    #[shm(reply = (u64, u32))]
    BytesSum,
    /// Takes so long, then gives the ticket back. Writes the ticket to the count file first.
    #[shm(reply = u64)]
    Slow { millis: u64, ticket: u64 },
    /// Closes the caller's link from inside the handler, takes so long after that, then replies.
    #[shm(reply = ())]
    CloseCaller { millis: u64 },
    /// Sends the caller so many numbered events, from a thread of its own.
    SendEvents { count: u64 },
    /// Sends every client one event of so many bytes.
    Broadcast { size: u64 },
    /// Calls the caller back from inside the handler.
    #[shm(reply = u64)]
    AskBack { value: u64 },
    /// Sends the caller an event from inside the handler, then replies.
    #[shm(reply = ())]
    SendBack { number: u64 },
    /// Panics.
    #[shm(reply = u64)]
    Panic { text: String },
    /// Panics, with nobody waiting.
    PanicQuietly,
    /// A reply of so many bytes.
    #[shm(reply = Vec<u8>)]
    Fill { size: u64 },
    /// The server's process id.
    #[shm(reply = u32)]
    ProcessId,
    /// The ids of all peers.
    #[shm(reply = Vec<u64>)]
    PeerIds,
    /// Arrivals and departures so far, the latter as text.
    #[shm(reply = (u64, Vec<String>))]
    Comings,
    /// What had come from each client that is gone, when its departure was told: numbers, how many
    /// of them out of order, and what `BytesSum` would have said.
    #[shm(reply = Vec<(u64, u64, u64, u32)>)]
    Lasts,
    /// Stops the server.
    Stop,
}

/// What the tests' server may say to its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ShmMessage)]
pub enum ProbeEvent {
    /// One of a row.
    Number { number: u64 },
    /// Many bytes.
    Bytes { bytes: Vec<u8> },
    /// Twice the value, please.
    #[shm(reply = u64)]
    Double { value: u64 },
}

/// A protocol that borrows: nothing is copied out of the receive buffer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ShmMessage)]
pub enum Borrowed<'a> {
    /// A name and bytes.
    #[shm(reply = (u64, u64))]
    Measure {
        /// Characters are counted.
        name: &'a str,
        /// Bytes are added up.
        bytes: &'a [u8],
    },
    /// Nothing borrowed here.
    #[shm(reply = u32)]
    Plain(u32),
}

/// Bytes that differ at every position, for `size` and up.
#[must_use]
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index ^ (index >> 8) ^ (index >> 16) ^ size) as u8).collect()
}
