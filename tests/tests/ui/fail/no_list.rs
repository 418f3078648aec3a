//! `#[shm]` alone.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm]
pub enum Library {
    #[shm]
    Count,
    #[shm = "reply"]
    Note,
}

fn main() {}
