//! A handler cannot ask for more life than a message has.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a> {
    Frame { pixels: &'a [u8] },
}

struct Keeper;

impl PictureHandler for Keeper {
    fn frame(&mut self, _: &Context<Picture<'static>>, pixels: &'static [u8]) {
        let _ = pixels;
    }
}

fn main() {}
