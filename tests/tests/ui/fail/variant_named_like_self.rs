//! A variant whose method would be `self`.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    SELF,
    Super,
    Crate,
}

fn main() {}
