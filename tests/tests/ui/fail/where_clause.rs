//! A where clause.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library
where
    String: Clone,
{
    Note(String),
}

fn main() {}
