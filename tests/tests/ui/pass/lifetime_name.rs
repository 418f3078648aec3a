//! What the lifetime is called does not count, and no name is in the way of generated ones.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

mod left {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    pub enum Picture<'m> {
        Frame { pixels: &'m [u8] },
    }
}

mod right {
    use super::*;
    #[derive(Serialize, Deserialize, ShmMessage)]
    pub enum Image<'de_> {
        /// Docs.
        #[shm(method = "other")]
        Frame { pixels: &'de_ [ u8 ], },
    }
}

fn main() {
    assert_eq!(
        <left::Picture as ShmMessage>::OWN_FINGERPRINT,
        <right::Image as ShmMessage>::OWN_FINGERPRINT
    );
}
