//! Generated items are exactly as visible as the enum.
#![deny(warnings)]
use serde::{Deserialize, Serialize};
use shmipc::{Context, ShmMessage};

mod outer {
    pub mod inner {
        use serde::{Deserialize, Serialize};
        use shmipc::ShmMessage;

        #[derive(Serialize, Deserialize)]
        pub(in crate::outer) struct Hidden;

        #[derive(Serialize, Deserialize, ShmMessage)]
        pub(in crate::outer) enum Restricted {
            #[shm(reply = Hidden)]
            Ask(Hidden),
        }
    }

    pub fn index() -> u32 {
        use inner::{Hidden, Restricted, RestrictedReply};
        use shmipc::ShmMessage;
        let _ = RestrictedReply::Ask(Hidden);
        Restricted::variant_index(&Restricted::Ask(Hidden))
    }
}

#[derive(Serialize, Deserialize, ShmMessage)]
enum Private {
    #[shm(reply = Secret)]
    Ask(Secret),
}

#[derive(Serialize, Deserialize)]
struct Secret;

fn main() {
    #[derive(Serialize, Deserialize, ShmMessage)]
    enum Local {
        Ask(u8),
    }

    struct Handler;

    impl LocalHandler for Handler {
        fn ask(&mut self, _: &Context<Local>, _: u8) {}
    }

    impl PrivateHandler for Handler {
        fn ask(&mut self, _: &Context<Private>, value: Secret) -> Secret {
            value
        }
    }

    fn handler<H: LocalHandler + PrivateHandler>(_: H) {}
    handler(Handler);
    assert_eq!(outer::index(), 0);
    assert_eq!(Local::variant_index(&Local::Ask(1)), 0);
    assert_eq!(Private::variant_index(&Private::Ask(Secret)), 0);
}
