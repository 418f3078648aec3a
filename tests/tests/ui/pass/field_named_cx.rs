//! Fields with the names that generated methods use themselves.
use serde::{Deserialize, Serialize};
use shmipc::{Caller, Context, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Awkward {
    A { cx: u8 },
    B { cx: u8, context: u8 },
    #[shm(reply = u8)]
    C { cx: u8, context: u8, __cx: u8, __cx0: u8 },
    #[shm(reply = u8)]
    D { handler: u8, message: u8, responder: u8, value: u8, reply: u8, variant: u8, bytes: u8 },
}

struct Handler;

impl AwkwardHandler for Handler {
    fn a(&mut self, context: &Context<Awkward>, cx: u8) {
        let _ = (context, cx);
    }
    fn b(&mut self, _: &Context<Awkward>, cx: u8, context: u8) {
        let _ = (cx, context);
    }
    fn c(&mut self, _: &Context<Awkward>, cx: u8, context: u8, __cx: u8, __cx0: u8) -> u8 {
        cx + context + __cx + __cx0
    }
    fn d(&mut self, _: &Context<Awkward>, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
        a + b + c + d + e + f + g
    }
}

#[allow(dead_code)]
fn calls(caller: &impl Caller<Awkward>) {
    let _ = caller.a(1);
    let _ = caller.d(1, 2, 3, 4, 5, 6, 7);
}

fn main() {
    fn handler<H: AwkwardHandler>(_: H) {}
    handler(Handler);
}
