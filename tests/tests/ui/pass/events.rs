//! Events are a protocol of their own, and count in the fingerprint.
use serde::{Deserialize, Serialize};
use shmipc::{NoEvents, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum News<'a> {
    Headline(&'a str),
}

mod with {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    #[shm(events = super::News<'static>)]
    pub enum Paper {
        Subscribe,
    }
}

mod without {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    pub enum Paper {
        Subscribe,
    }
}

fn events_are<P: ShmMessage<Events = E>, E>() {}

fn main() {
    events_are::<with::Paper, News<'static>>();
    events_are::<without::Paper, NoEvents>();
    assert_eq!(with::Paper::OWN_FINGERPRINT, without::Paper::OWN_FINGERPRINT);
    assert_ne!(with::Paper::FINGERPRINT, without::Paper::FINGERPRINT);
}
