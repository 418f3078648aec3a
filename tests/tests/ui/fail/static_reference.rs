//! A message cannot be decoded into `&'static`.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note(&'static str),
}

fn main() {}
