//! A method's name must be one identifier.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(method = "close shelf")]
    Note,
    #[shm(method = "self")]
    Other,
    #[shm(method = "")]
    Third,
    #[shm(method = "9lives")]
    Fourth,
}

fn main() {}
