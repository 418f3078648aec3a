//! An enum that a `macro_rules!` macro writes has the fingerprint of one written by hand.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

macro_rules! protocol {
    ($name:ident, $variant:ident, $field:ident: $ty:ty, $reply:ty) => {
        #[derive(Serialize, Deserialize, ShmMessage)]
        pub enum $name {
            #[shm(reply = $reply)]
            $variant { $field: $ty, own: u8 },
        }
    };
}

protocol!(Made, Ask, what: Vec<(u8, u8)>, Option<u64>);

mod by_hand {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    pub enum Made {
        #[shm(reply = Option<u64>)]
        Ask { what: Vec<(u8, u8)>, own: u8 },
    }
}

struct Handler;

impl MadeHandler for Handler {
    fn ask(&mut self, _: &Context<Made>, what: Vec<(u8, u8)>, own: u8) -> Option<u64> {
        Some(what.len() as u64 + u64::from(own))
    }
}

fn main() {
    fn handler<H: MadeHandler>(_: H) {}
    handler(Handler);
    assert_eq!(Made::OWN_FINGERPRINT, by_hand::Made::OWN_FINGERPRINT);
    assert_eq!(Made::VARIANTS, by_hand::Made::VARIANTS);
}
