//! A union is no protocol.
use shmipc::ShmMessage;

#[derive(Clone, Copy, ShmMessage)]
pub union Either {
    a: u8,
    b: i8,
}

fn main() {}
