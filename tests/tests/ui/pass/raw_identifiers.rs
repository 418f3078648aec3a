//! Keywords as names of the enum, of variants, fields and methods.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum r#Match {
    r#Type { r#type: u8, r#fn: u8 },
    #[shm(reply = u8)]
    Loop(u8),
    #[shm(method = "r#async")]
    First,
    #[shm(method = "await")]
    Second,
    #[shm(method = "gen")]
    Third,
}

struct Handler;

impl MatchHandler for Handler {
    fn r#type(&mut self, _: &Context<r#Match>, r#type: u8, r#fn: u8) {
        let _ = (r#type, r#fn);
    }
    fn r#loop(&mut self, _: &Context<r#Match>, value: u8) -> u8 {
        value
    }
    fn r#async(&mut self, _: &Context<r#Match>) {}
    fn r#await(&mut self, _: &Context<r#Match>) {}
    fn r#gen(&mut self, _: &Context<r#Match>) {}
}

#[allow(dead_code)]
fn calls(caller: &impl Caller<r#Match>) {
    let _ = caller.r#type(1, 2);
    let _ = caller.r#loop(1);
    let _ = caller.r#await();
}

fn main() {
    fn handler<H: MatchHandler>(_: H) {}
    handler(Handler);
    assert_eq!(Match::NAME, "Match");
    assert_eq!(Match::VARIANTS[0].name, "Type");
    let _ = MatchReply::r#Type;
}
