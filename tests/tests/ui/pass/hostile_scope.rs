//! Whatever stands in the user's scope: constants and statics with the names of parameters and bindings (a
//! pattern that is a plain name would mean them), types, modules and macros with those of the library's and
//! the standard library's, and no prelude. (serde's own derives do not stand this, so they have their own scope.)
#![allow(dead_code, unused_macros, non_camel_case_types, non_upper_case_globals)]

pub mod plain {
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Number(pub ::core::primitive::u64);
}

pub mod hostile {
    #![no_implicit_prelude]

    pub const value: ::core::primitive::u8 = 7;
    pub const replies: ::core::primitive::u8 = 7;
    pub const context: ::core::primitive::u8 = 7;
    pub const message: ::core::primitive::u8 = 7;
    pub const responder: ::core::primitive::u8 = 7;
    pub const index: ::core::primitive::u8 = 7;
    pub const departure: ::core::primitive::u8 = 7;
    pub const field: ::core::primitive::u8 = 7;
    pub const field1: ::core::primitive::u8 = 7;
    pub const arg0: ::core::primitive::u8 = 7;
    pub const a: ::core::primitive::u8 = 7;
    pub const c: ::core::primitive::u8 = 7;
    pub const author: ::core::primitive::u8 = 7;
    pub const caller: ::core::primitive::u8 = 7;
    pub const server: ::core::primitive::u8 = 7;
    pub const error: ::core::primitive::u8 = 7;
    pub const output: ::core::primitive::u8 = 7;
    pub const method: ::core::primitive::u8 = 7;
    pub const events: ::core::primitive::u8 = 7;
    pub const krate: ::core::primitive::u8 = 7;
    pub const me: ::core::primitive::u8 = 7;
    pub const link: ::core::primitive::u8 = 7;
    pub const err: ::core::primitive::u8 = 7;
    pub const none: ::core::primitive::u8 = 7;
    pub const state: ::core::primitive::u8 = 7;
    pub const buffer: ::core::primitive::u8 = 7;

    pub static reply: ::core::primitive::u8 = 7;
    pub static cx: ::core::primitive::u8 = 7;
    pub static handler: ::core::primitive::u8 = 7;
    pub static messages: ::core::primitive::u8 = 7;
    pub static variant: ::core::primitive::u8 = 7;
    pub static bytes: ::core::primitive::u8 = 7;
    pub static count: ::core::primitive::u8 = 7;
    pub static field0: ::core::primitive::u8 = 7;
    pub static __field0: ::core::primitive::u8 = 7;
    pub static arg1: ::core::primitive::u8 = 7;
    pub static b: ::core::primitive::u8 = 7;
    pub static x: ::core::primitive::u8 = 7;
    pub static text: ::core::primitive::u8 = 7;
    pub static client: ::core::primitive::u8 = 7;
    pub static peer: ::core::primitive::u8 = 7;
    pub static result: ::core::primitive::u8 = 7;
    pub static call: ::core::primitive::u8 = 7;
    pub static event: ::core::primitive::u8 = 7;
    pub static name: ::core::primitive::u8 = 7;
    pub static this: ::core::primitive::u8 = 7;
    pub static own: ::core::primitive::u8 = 7;
    pub static ok: ::core::primitive::u8 = 7;
    pub static some: ::core::primitive::u8 = 7;
    pub static link_: ::core::primitive::u8 = 7;
    pub static data: ::core::primitive::u8 = 7;

    pub struct Result;
    pub struct Option;
    pub struct String;
    pub struct Vec;
    pub struct Box;
    pub struct Ok;
    pub struct Err;
    pub struct Some;
    pub struct None;
    pub struct Sized;
    pub struct Send;
    pub struct Sync;
    pub struct Clone;
    pub struct Copy;
    pub struct Drop;
    pub struct From;
    pub struct Into;
    pub struct Default;
    pub struct Debug;
    pub struct Iterator;
    pub struct Context;
    pub struct Variant;
    pub struct Responder;
    pub struct Responded;
    pub struct SendError;
    pub struct CallError;
    pub struct Departure;
    pub struct NoEvents;
    pub struct Caller;
    pub struct Dispatch;
    pub struct ShmMessage;
    pub struct Client;
    pub struct Server;
    pub struct Peer;
    pub struct Local;
    pub struct H;
    pub struct C;
    pub struct P;
    pub struct E;
    pub struct M;
    pub struct T;
    pub struct R;
    pub struct m;
    pub struct __C;
    pub struct __H;
    pub struct Self_;
    pub struct str_;
    pub struct u64;
    pub struct u32;
    pub struct u8;
    pub struct str;
    pub struct bool;
    pub struct usize;

    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod shmipc {}
    pub mod serde {}
    pub mod __private {}
    pub mod error {}
    pub mod primitive {}
    pub mod option {}
    pub mod result {}

    macro_rules! vec { () => { compile_error!("not this one") } }
    macro_rules! matches { () => { compile_error!("not this one") } }
    macro_rules! assert { () => { compile_error!("not this one") } }
    macro_rules! panic { () => { compile_error!("not this one") } }
    macro_rules! unreachable { () => { compile_error!("not this one") } }
    macro_rules! write { () => { compile_error!("not this one") } }
    macro_rules! format { () => { compile_error!("not this one") } }
    macro_rules! stringify { () => { compile_error!("not this one") } }
    macro_rules! concat { () => { compile_error!("not this one") } }

    pub fn decode_reply() {}
    pub fn unknown_variant() {}
    pub fn request() {}
    pub fn notify() {}

    #[derive(::shmipc::ShmMessage)]
    #[shm(events = Event)]
    pub enum Hostile<'a> {
        Note { author: &'a ::core::primitive::str, text: ::std::string::String },
        #[shm(reply = super::plain::Number)]
        Count(super::plain::Number),
        #[shm(reply = ())]
        All {
            value: super::plain::Number,
            reply: super::plain::Number,
            cx: super::plain::Number,
            handler: super::plain::Number,
            message: super::plain::Number,
            responder: super::plain::Number,
        },
        Two(super::plain::Number, super::plain::Number),
        value,
    }

    #[derive(::shmipc::ShmMessage)]
    pub enum Event {
        Changed { value: super::plain::Number, count: super::plain::Number },
    }
}

mod on_the_wire {
    use super::hostile::{Event, Hostile};
    use super::plain::Number;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Hostile")]
    pub enum HostileDef<'a> {
        Note { author: &'a str, text: String },
        Count(Number),
        All {
            value: Number,
            reply: Number,
            cx: Number,
            handler: Number,
            message: Number,
            responder: Number,
        },
        Two(Number, Number),
        value,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Event")]
    pub enum EventDef {
        Changed { value: Number, count: Number },
    }

    impl Serialize for Hostile<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            HostileDef::serialize(self, serializer)
        }
    }

    impl<'de: 'a, 'a> Deserialize<'de> for Hostile<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            HostileDef::deserialize(deserializer)
        }
    }

    impl Serialize for Event {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            EventDef::serialize(self, serializer)
        }
    }

    impl<'de> Deserialize<'de> for Event {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            EventDef::deserialize(deserializer)
        }
    }
}

use hostile::{Hostile, HostileClient, HostileHandler, HostileReply};
use plain::Number;
use shmipc::{Context, Local, ShmMessage};

#[derive(Default)]
struct Kept(u64);

impl HostileHandler for Kept {
    fn note(&mut self, _: &Context<Hostile<'static>>, author: &str, text: String) {
        self.0 += author.len() as u64 + text.len() as u64;
    }
    fn count(&mut self, _: &Context<Hostile<'static>>, value: Number) -> Number {
        Number(self.0 + value.0)
    }
    fn all(
        &mut self,
        _: &Context<Hostile<'static>>,
        value: Number,
        reply: Number,
        cx: Number,
        handler: Number,
        message: Number,
        responder: Number,
    ) {
        self.0 += value.0 + reply.0 + cx.0 + handler.0 + message.0 + responder.0;
    }
    fn two(&mut self, _: &Context<Hostile<'static>>, arg0: Number, arg1: Number) {
        self.0 += arg0.0 * arg1.0;
    }
    fn value(&mut self, _: &Context<Hostile<'static>>) {}
}

fn main() {
    let local = Local::<Hostile<'static>, _>::new(Kept::default());
    local.note("Ada", "hello".into()).expect("it is handled");
    local.all(Number(1), Number(2), Number(3), Number(4), Number(5), Number(6)).expect("it is handled");
    local.two(Number(10), Number(10)).expect("it is handled");
    assert_eq!(local.count(Number(1000)).expect("it is answered"), Number(1129));
    assert_eq!(Hostile::VARIANTS.len(), 5);
    let _ = HostileReply::Count(Number(1));
}
