//! Two protocols beside each other, and client methods on references and trait-bounded callers.
use serde::{Deserialize, Serialize};
use shmipc::{CallError, Caller, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Left {
    #[shm(reply = u8)]
    Ask(u8),
}

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Right {
    #[shm(reply = u8)]
    Ask(u8),
}

#[allow(dead_code)]
fn both(left: &&impl Caller<Left>, right: impl RightClient) -> Result<u8, CallError> {
    right.ask(left.ask(1)?)
}

fn main() {}
