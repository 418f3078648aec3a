//! A reply that borrows from the message.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a> {
    #[shm(reply = &'a [u8])]
    Frame(&'a [u8]),
    #[shm(reply = Vec<&str>)]
    Names,
    #[shm(reply = std::borrow::Cow<'a, str>)]
    Name,
    #[shm(reply = Box<Self>)]
    Same,
    #[shm(reply = &'static str)]
    Fixed,
}

fn main() {}
