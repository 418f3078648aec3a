//! `reply` and `method` on the enum.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(reply = u64)]
#[shm(method = "name")]
pub enum Library {
    Count,
}

fn main() {}
