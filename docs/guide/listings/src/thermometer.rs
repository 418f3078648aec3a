//! The protocol of the pages for who comes from another library.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = ThermometerEvent)]
pub enum Thermometer {
    /// The temperature now.
    #[shm(reply = f64)]
    Read,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum ThermometerEvent {
    Changed { celsius: f64 },
}
// ANCHOR_END: protocol
