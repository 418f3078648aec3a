//! The same thing twice.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(events = shmipc::NoEvents, events = shmipc::NoEvents)]
pub enum Library {
    #[shm(reply = u64, reply = u64)]
    Count,
}

fn main() {}
