//! An enum that borrows: the handler gets what lies in the receive buffer.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, SendError, ShmMessage};
use std::borrow::Cow;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Picture<'a> {
    /// One picture.
    Frame { width: u32, pixels: &'a [u8] },
    #[shm(reply = Cow<'static, str>)]
    Name(#[serde(borrow)] Cow<'a, str>, &'a str),
    #[shm(reply = u64)]
    Size { of: String },
    Label(Cow<'static, str>),
    Close2,
}

struct Screen(Vec<u8>);

impl PictureHandler for Screen {
    // With the lifetime, or without.
    fn frame<'a>(&mut self, _: &Context<Picture<'static>>, width: u32, pixels: &'a [u8]) {
        self.0.extend(&pixels[..width as usize]);
    }
    fn name(
        &mut self,
        _: &Context<Picture<'static>>,
        arg0: Cow<'_, str>,
        arg1: &str,
    ) -> Cow<'static, str> {
        Cow::Owned(format!("{arg0}{arg1}"))
    }
    fn size(&mut self, _: &Context<Picture<'static>>, of: String) -> u64 {
        of.len() as u64
    }
    fn label(&mut self, _: &Context<Picture<'static>>, value: Cow<'static, str>) {
        drop(value);
    }
    fn close2(&mut self, _: &Context<Picture<'static>>) {}
}

#[allow(dead_code)]
fn sends_what_lives_here(caller: &impl Caller<Picture<'static>>) -> Result<(), SendError> {
    let pixels = vec![1, 2, 3];
    caller.frame(3, &pixels)
}

fn serves<P: ShmMessage + shmipc::__private::Dispatch<H>, H>(_: &H) {}

fn main() {
    serves::<Picture<'static>, _>(&Screen(Vec::new()));
    let pixels = vec![1, 2, 3];
    let message = Picture::Frame { width: 3, pixels: &pixels };
    assert_eq!(Picture::variant_index(&message), 0);
    assert_eq!(<Picture as ShmMessage>::VARIANTS[1].reply, Some("Cow<'static, str>"));
}
