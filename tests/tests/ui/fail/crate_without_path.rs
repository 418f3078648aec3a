//! `crate` needs a path.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(crate = "shmipc")]
pub enum Library {
    Note,
}

fn main() {}
