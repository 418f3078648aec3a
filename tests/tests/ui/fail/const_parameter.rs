//! Both sides could take another number.
use shmipc::ShmMessage;

#[derive(ShmMessage)]
pub enum Sized<const N: usize> {
    Note([u8; N]),
}

fn main() {}
