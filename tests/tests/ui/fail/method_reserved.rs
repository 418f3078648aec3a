//! Methods that would never be called, and the like.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Close,
    PeerArrived,
    Clone,
    New,
    #[shm(method = "send_all")]
    Other,
}

fn main() {}
