//! `#[shm(method = …)]` solves every clash of names.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Door {
    #[shm(method = "close_door")]
    Close,
    #[shm(method = "start_new", reply = u8)]
    New,
    HTTPGet,
    #[shm(method = "http_get_again")]
    HttpGet,
    #[shm(method = "self_")]
    Self_,
}

struct Handler;

impl DoorHandler for Handler {
    fn close_door(&mut self, _: &Context<Door>) {}
    fn start_new(&mut self, _: &Context<Door>) -> u8 {
        0
    }
    fn http_get(&mut self, _: &Context<Door>) {}
    fn http_get_again(&mut self, _: &Context<Door>) {}
    fn self_(&mut self, _: &Context<Door>) {}
}

#[allow(dead_code)]
fn calls(caller: &impl Caller<Door>) {
    let _ = caller.close_door();
    let _ = caller.start_new();
}

fn main() {
    fn handler<H: DoorHandler>(_: H) {}
    handler(Handler);
    assert_eq!(Door::VARIANTS[0].name, "Close");
}
