//! A message lies in one buffer.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a, 'b> {
    Frame(&'a [u8], &'b [u8]),
}

fn main() {}
