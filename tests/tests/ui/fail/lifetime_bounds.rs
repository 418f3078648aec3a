//! Bounds on the lifetime.
use serde::Serialize;
use shmipc::ShmMessage;

#[derive(Serialize, ShmMessage)]
pub enum Picture<'a: 'static> {
    Frame(&'a [u8]),
}

fn main() {}
