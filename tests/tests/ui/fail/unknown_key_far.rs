//! A key that does not exist.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(version = 3)]
pub enum Library {
    #[shm(timeout = Result<u8, u8>, retry)]
    Count,
}

fn main() {}
