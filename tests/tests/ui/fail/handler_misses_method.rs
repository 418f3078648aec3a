//! A new variant is a compile error in every handler.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note(String),
    #[shm(reply = u64)]
    Count(String),
}

struct Shelf;

impl LibraryHandler for Shelf {
    fn note(&mut self, _: &Context<Library>, _: String) {}
}

fn main() {}
