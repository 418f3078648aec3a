//! A struct is no protocol.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub struct Note {
    text: String,
}

fn main() {}
