//! Serde attributes that bincode can carry are left alone, and count in the fingerprint.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kept {
    #[serde(rename = "other")]
    First {
        #[serde(skip)]
        skipped: u8,
        #[serde(skip_serializing, skip_deserializing)]
        also: u8,
        #[serde(default, alias = "x")]
        y: u8,
    } = 7,
}

mod plain {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    pub enum Kept {
        First { skipped: u8, also: u8, y: u8 },
    }
}

fn main() {
    assert_ne!(Kept::OWN_FINGERPRINT, plain::Kept::OWN_FINGERPRINT);
    assert_eq!(Kept::variant_index(&Kept::First { skipped: 0, also: 0, y: 0 }), 0);
}
