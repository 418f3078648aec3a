//! Several wrong parameters: each has its message.
use shmipc::ShmMessage;

#[derive(ShmMessage)]
pub enum Everything<'a, 'b, T, const N: usize>
where
    T: Clone,
{
    Note(&'a T, &'b [u8; N]),
}

fn main() {}
