//! The typed face: what a protocol enum is to the runtime, and what a handler is given.

pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod dispatch;
pub(crate) mod listening;
pub(crate) mod local;
pub(crate) mod message;
pub(crate) mod peer;
pub(crate) mod server;

pub use client::Client;
pub use context::Context;
pub use dispatch::Dispatch;
pub use local::Local;
pub use message::{Caller, NoEvents, ShmMessage, Variant};
pub use peer::Peer;
pub use server::{Broadcast, ServerHandle};
