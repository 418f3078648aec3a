//! The two ends of a link as programs have them: the server with its listener, the client with its
//! own.

pub(crate) mod client;
mod listener;
pub(crate) mod server;
pub(crate) mod session;
mod sessions;

pub use client::ClientBuilder;
pub use server::{BackPressure, Running, Server, ServerBuilder};
