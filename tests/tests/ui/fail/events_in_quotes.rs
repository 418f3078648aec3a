//! The type stands without quotes.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(events = "News")]
pub enum Library {
    Note,
}

fn main() {}
