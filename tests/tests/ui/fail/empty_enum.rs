//! A protocol without messages.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Nothing {}

fn main() {}
