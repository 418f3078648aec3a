//! The client: connects to a server by name, and listens for events if it wants to.

mod builder;
#[cfg(not(all(test, loom)))]
mod connect;
#[cfg(all(test, loom))]
pub(crate) mod connect;
mod listener;
#[cfg(all(test, loom))]
pub(crate) mod modelled;

pub use builder::ClientBuilder;
