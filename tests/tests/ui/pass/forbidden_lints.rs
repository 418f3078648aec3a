//! A crate that forbids lints cannot have them allowed by generated code.
#![forbid(unsafe_code, unused_must_use, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Strict {
    Note(String),
    #[shm(reply = u8)]
    Ask { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8 },
}

fn main() {}
