//! The type stands without quotes.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(reply = "u64")]
    Count,
    #[shm(reply = u64 u32)]
    Twice,
}

fn main() {}
