//! `events` and `crate` on a variant.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(events = u8, crate = shmipc)]
    Count,
}

fn main() {}
