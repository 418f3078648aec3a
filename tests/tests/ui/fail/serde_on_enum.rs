//! Representations that bincode cannot read.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[serde(tag = "kind", content = "value")]
pub enum Tagged {
    Note { text: String },
}

#[derive(Serialize, Deserialize, ShmMessage)]
#[serde(untagged)]
pub enum Library {
    Note { text: String },
}

fn main() {}
