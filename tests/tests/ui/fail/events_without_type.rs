//! `events` needs a type.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(events)]
pub enum Library {
    Note,
}

fn main() {}
