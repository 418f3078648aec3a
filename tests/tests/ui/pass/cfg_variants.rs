//! A variant that is configured away leaves nothing behind.
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Tool {
    #[cfg(not(all()))]
    #[shm(reply = NoSuchType)]
    Gone(AlsoMissing),
    #[cfg(all())]
    Here {
        #[cfg(not(all()))]
        never: NoSuchType,
        #[cfg(all())]
        always: u8,
    },
    #[cfg_attr(all(), shm(reply = u8))]
    Asked,
}

struct Handler;

impl ToolHandler for Handler {
    fn here(&mut self, _: &Context<Tool>, always: u8) {
        let _ = always;
    }
    fn asked(&mut self, _: &Context<Tool>) -> u8 {
        1
    }
}

fn main() {
    fn handler<H: ToolHandler>(_: H) {}
    handler(Handler);
    assert_eq!(Tool::VARIANTS.len(), 2);
    assert_eq!(Tool::variant_index(&Tool::Here { always: 1 }), 0);
}
