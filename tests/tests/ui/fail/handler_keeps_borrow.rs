//! What a handler borrows ends with the call.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a> {
    Frame { pixels: &'a [u8] },
}

struct Keeper<'k> {
    last: &'k [u8],
}

impl PictureHandler for Keeper<'_> {
    fn frame(&mut self, _: &Context<Picture<'static>>, pixels: &[u8]) {
        self.last = pixels;
    }
}

fn main() {}
