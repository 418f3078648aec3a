//! A camera: large messages that are borrowed instead of copied.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = Film<'static>)]
pub enum Camera {
    /// Width and height in pixels, one byte each.
    #[shm(reply = (u32, u32))]
    Size,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Film<'a> {
    Frame {
        number: u32,
        /// Borrowed on both sides: nobody makes a `Vec` of it.
        #[serde(borrow, with = "serde_bytes")]
        pixels: &'a [u8],
    },
    End,
}
// ANCHOR_END: protocol
