//! One error enum for each operation. Every text says what was wrong, what was expected, and what
//! to do; sources are kept.
//!
//! | operation | error |
//! |---|---|
//! | [`Server::bind`](crate::Server::bind) | [`BindError`] |
//! | [`Server::serve`](crate::Server::serve), [`Running::join`](crate::Running::join) | [`ServeError`] |
//! | [`Client::connect`](crate::Client::connect) | [`ConnectError`] |
//! | sending a notice or an event | [`SendError`] |
//! | sending a request and waiting for its reply | [`CallError`] |
//!
//! A [`CallError`] also answers the question that decides about a retry: did the request run?
//! See [`CallError::outcome`].

mod attach;
mod call;
mod config;
mod send;

pub use attach::{BindError, ConnectError, Difference, Refusal, ServeError};
pub use call::{CallError, Outcome, Rejection};
pub use config::{ConfigError, NameError};
pub use send::{Departure, SendError};
