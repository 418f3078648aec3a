//! Typed messages between processes, through shared memory.

mod client;
mod codec;
mod context;
mod dispatch;
mod doorbell;
pub mod error;
mod frame;
mod link;
mod liveness;
mod local;
mod message;
mod name;
mod note;
mod options;
mod peer;
mod ring;
mod segment;
mod server;
mod session;
mod sync;
mod sys;
mod wait;
mod watch;

pub use client::{Client, ClientBuilder};
pub use codec::{DecodeError, EncodeError};
pub use context::Context;
pub use doorbell::Doorbell;
pub use error::{
    BindError, CallError, ConfigError, ConnectError, Departure, Difference, NameError, Outcome,
    Refusal, Rejection, SendError, ServeError,
};
pub use local::Local;
pub use message::{Caller, NoEvents, ShmMessage, Variant};
pub use peer::Peer;
pub use server::{BackPressure, Broadcast, Running, Server, ServerBuilder, ServerHandle};
pub use shmipc_derive::ShmMessage;

/// What the derive's output needs. Not for use by hand: anything here may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::DecodeError;
    pub use crate::dispatch::{Responded, Responder, decode_reply, unknown_variant};
    pub use crate::message::Dispatch;
}
