//! All mistakes in one build, and none that only follows from another.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(event = u8)]
pub enum Library {
    #[shm(replay = u64)]
    Count { word: String },
    Close,
    Note(#[shm(x)] u8),
    #[shm(method = "note")]
    Other,
}

struct Shelf;

impl LibraryHandler for Shelf {
    fn count(&mut self, _: &Context<Library>, _word: String) {}
    fn note(&mut self, _: &Context<Library>, _value: u8) {}
}

fn calls(caller: &impl Caller<Library>) {
    let _ = caller.count(String::new());
    let _ = caller.note(1);
    let _ = Library::NAME;
    let _ = LibraryReply::Count;
}

fn main() {}
