//! `reply` needs a type.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(reply)]
    Count,
    #[shm(reply = )]
    Search,
    #[shm(reply = , method = "taken")]
    Take,
    #[shm(reply(u64))]
    List,
}

fn main() {}
