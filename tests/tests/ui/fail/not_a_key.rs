//! Something that is no key at all.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm("reply")]
    Count,
    #[shm(reply = u8; method = "x")]
    Note,
}

fn main() {}
