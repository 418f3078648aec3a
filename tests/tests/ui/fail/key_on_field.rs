//! A field takes no attribute.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Count {
        #[shm(reply = u64)]
        word: String,
    },
    Note(#[shm] u8),
}

fn main() {}
