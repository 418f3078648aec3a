//! The same key with two values.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(reply = u64)]
    #[shm(reply = Result<u32, String>)]
    Count,
    #[shm(method = "one", method = "two")]
    Note,
}

fn main() {}
