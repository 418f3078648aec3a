//! Events that borrow from the message.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(events = News<'a>)]
pub enum Picture<'a> {
    Frame(&'a [u8]),
}

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum News<'a> {
    Headline(&'a str),
}

fn main() {}
