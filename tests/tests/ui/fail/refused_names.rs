//! A refused name is one message, though the handler was written for it and somebody calls it.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Event {
    Gid(u8),
    #[shm(reply = u8)]
    PidIsCertain { x: u8 },
    CloneInto,
    Changed,
}

struct Handler;

impl EventHandler for Handler {
    fn gid(&mut self, _: &Context<Event>, _: u8) {}
    fn pid_is_certain(&mut self, _: &Context<Event>, x: u8) -> u8 {
        x
    }
    fn clone_into(&mut self, _: &Context<Event>) {}
    fn changed(&mut self, _: &Context<Event>) {}
}

fn tell(caller: &impl Caller<Event>) {
    let _ = caller.gid(1);
    let _ = caller.pid_is_certain(1);
    let _ = caller.changed();
}

fn main() {}
