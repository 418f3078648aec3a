//! The runtime under another name, as a crate that re-exports it needs.
use serde::{Deserialize, Serialize};

mod facade {
    pub mod inner {
        pub use ::shmipc as renamed;
    }
}

mod shmipc {}

#[derive(Serialize, Deserialize, facade::inner::renamed::ShmMessage)]
#[shm(crate = facade::inner::renamed)]
pub enum Renamed {
    #[shm(reply = u8)]
    Ask,
    Tell(u8),
}

fn main() {
    use facade::inner::renamed::ShmMessage;
    assert_eq!(Renamed::NAME, "Renamed");
}
