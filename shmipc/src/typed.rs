//! The typed face: what a protocol enum is to the runtime, and what a handler is given.

pub(crate) mod context;
pub(crate) mod dispatch;
pub(crate) mod local;
pub(crate) mod message;
pub(crate) mod peer;

pub use context::Context;
pub use local::Local;
pub use message::{Caller, Dispatch, NoEvents, ShmMessage, Variant};
pub use peer::Peer;
