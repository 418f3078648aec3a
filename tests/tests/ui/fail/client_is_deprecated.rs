//! Calling a deprecated message's method is told as for any other.
#![deny(deprecated)]
use serde::{Deserialize, Serialize};
use shmipc::{Caller, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    #[deprecated = "use `Write`"]
    Note(String),
    Write(String),
}

fn calls(caller: &impl Caller<Library>) {
    let _ = caller.note(String::new());
}

fn main() {}
