//! Nothing in the user's scope changes what generated code means.
#![allow(dead_code, unused_macros, non_camel_case_types)]

mod scope {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub struct Result(u8);
    #[derive(Serialize, Deserialize)]
    pub struct Option;
    #[derive(Serialize, Deserialize)]
    pub struct String;
    #[derive(Serialize, Deserialize)]
    pub struct Vec;
    pub struct Context;
    pub struct Variant;
    pub struct Responder;
    pub struct SendError;
    pub struct H;
    pub struct C;
    pub trait Sized {}
    pub trait Send {}
    pub trait Caller {}
    pub trait Dispatch {}
    pub fn decode_reply() {}
    pub mod core {}
    pub mod std {}
    pub mod shmipc {}

    #[derive(Serialize, Deserialize, ::shmipc::ShmMessage)]
    pub enum Shadowed {
        #[shm(reply = Result)]
        Ask(Result, Option),
        Tell { string: String, vec: Vec },
    }
}

fn main() {
    use shmipc::ShmMessage;
    assert_eq!(scope::Shadowed::VARIANTS.len(), 2);
}
