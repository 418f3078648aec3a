//! Only the declared lifetime may be mentioned; the compiler says so, and once.
use shmipc::ShmMessage;

#[derive(ShmMessage)]
pub enum Picture<'a> {
    Frame(&'a [u8], &'b [u8], &str),
}

fn main() {}
