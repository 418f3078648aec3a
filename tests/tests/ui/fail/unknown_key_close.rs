//! A misspelt key.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(replay = u64)]
    Count,
    #[shm(metod = "other")]
    Note,
}

fn main() {}
