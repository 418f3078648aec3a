//! A chosen name is no string.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(client = "DbCalls")]
pub enum Db {
    Get,
}

fn main() {}
