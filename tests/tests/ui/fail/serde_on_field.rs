//! Fields without a fixed place.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize)]
pub struct Inner {
    x: u8,
}

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note {
        #[serde(flatten)]
        inner: Inner,
        #[serde(skip_serializing_if = "Option::is_none")]
        maybe: Option<u8>,
        #[serde(skip_serializing)]
        half: u8,
    },
}

fn main() {}
