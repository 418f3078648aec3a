//! `method` needs a string.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(method = close_shelf)]
    Note,
    #[shm(method)]
    Other,
}

fn main() {}
