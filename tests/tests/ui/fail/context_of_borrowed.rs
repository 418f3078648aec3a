//! The context of a protocol that borrows is that of the whole protocol.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a> {
    Frame { pixels: &'a [u8] },
}

struct Screen;

impl PictureHandler for Screen {
    fn frame(&mut self, _: &Context<Picture<'_>>, pixels: &[u8]) {
        let _ = pixels;
    }
}

fn main() {}
