//! Both sides could take another type.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Generic<T> {
    Note(T),
}

fn main() {}
