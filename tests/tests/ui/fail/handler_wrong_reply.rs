//! A handler must answer with the declared type.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[shm(reply = u64)]
    Count(String),
}

struct Shelf;

impl LibraryHandler for Shelf {
    fn count(&mut self, _: &Context<Library>, value: String) -> u32 {
        value.len() as u32
    }
}

fn main() {}
