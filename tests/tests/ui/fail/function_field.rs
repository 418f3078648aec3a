use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
enum Hooks {
    Hook {
        #[serde(skip)]
        hook: Option<fn(&str)>,
    },
}

fn main() {}
