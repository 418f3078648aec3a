//! A level meter that says more than a slow client can hear.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = MeterEvent)]
pub enum Meter {
    /// A client that only listens still needs a protocol. This one may ask for the unit.
    #[shm(reply = String)]
    Unit,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum MeterEvent {
    Level { number: u32, decibel: f32 },
    End,
}
// ANCHOR_END: protocol
