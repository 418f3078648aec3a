//! Variants without an index.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Late {
    Note,
    #[serde(untagged)]
    Rest(String),
}

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note,
    #[serde(skip)]
    Skipped,
    #[serde(skip_serializing)]
    Half,
    #[serde(other)]
    Other,
}

fn main() {}
