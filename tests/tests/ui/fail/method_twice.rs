//! Two variants with the same method.
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    HTTPGet,
    HttpGet,
    #[shm(method = "http_get")]
    Other,
}

fn main() {}
