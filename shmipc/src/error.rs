//! One error enum for each operation. Every text says what was wrong, what was expected, and what
//! to do. `Display` is that sentence. `Debug`, which is what `fn main() -> Result<…>`, `unwrap` and
//! `expect` print, is the sentence with its sources; the parts are in the variants' fields.
//!
//! | operation | error |
//! |---|---|
//! | [`Server::bind`](crate::Server::bind) | [`BindError`]: [`NameError`], [`ConfigError`], or what stands in the way |
//! | [`Server::serve`](crate::Server::serve), [`Running::join`](crate::Running::join), [`Running::stop`](crate::Running::stop) | [`ServeError`] |
//! | [`Client::connect`](crate::Client::connect) | [`ConnectError`]: also [`Refusal`] (the server's), [`Limit`] (of a process or machine) and [`Difference`] (between two versions) |
//! | sending a notice or an event | [`SendError`] |
//! | sending several notices | [`SendAllError`] |
//! | sending a request and waiting for its reply | [`CallError`] |
//!
//! # Did it run?
//! A call ends in exactly one way, and [`CallError::outcome`] answers the question that decides
//! about a retry:
//!
//! | how the call ended | [`Outcome`] |
//! |---|---|
//! | [`NotSent`](CallError::NotSent): too large, not encodable, link closed | [`NotStarted`](Outcome::NotStarted) |
//! | [`Rejected`](CallError::Rejected): undecodable, no handler | `NotStarted` |
//! | [`Deadline`](CallError::Deadline) before it left this process | `NotStarted` |
//! | [`Deadline`](CallError::Deadline) after that | [`MayHaveRun`](Outcome::MayHaveRun) |
//! | [`PeerGone`](CallError::PeerGone), and the ring shows that it was not taken | `NotStarted` |
//! | [`PeerGone`](CallError::PeerGone) otherwise | `MayHaveRun` |
//! | [`HandlerPanicked`](CallError::HandlerPanicked), [`ReplyFailed`](CallError::ReplyFailed), [`UndecodableReply`](CallError::UndecodableReply) | [`Ran`](Outcome::Ran) |
//!
//! ```
//! use shmipc::{CallError, Outcome};
//!
//! /// Calls until it ran, or may have: never twice.
//! fn once<R>(mut call: impl FnMut() -> Result<R, CallError>) -> Result<R, CallError> {
//!     for _ in 0..3 {
//!         match call() {
//!             Err(error) if error.outcome() == Outcome::NotStarted => eprintln!("again: {error}"),
//!             other => return other,
//!         }
//!     }
//!     call()
//! }
//! # let mut calls = 0;
//! # let reply = once(|| {
//! #     calls += 1;
//! #     let busy = CallError::NotSent(shmipc::SendError::ZeroDeadline);
//! #     if calls < 3 { Err(busy) } else { Ok(calls) }
//! # });
//! # assert_eq!(reply.unwrap(), 3);
//! ```
//!
//! # What is lost
//! Nothing. [`Client::send`](crate::Client::send) and [`Client::call`](crate::Client::call) borrow
//! the message, so after an error the caller still has it; the generated methods take the fields by
//! value, for convenience. A message that was refused, gave up waiting for room, or was cut short
//! by the peer's death is not seen by the receiver, not even in part.
//!
//! # Notices
//! Nobody waits for a notice, so what goes wrong on the other side is kept there for who asks:
//! [`Client::take_rejections`](crate::Client::take_rejections). To be sure that a notice was
//! handled, [`call`](crate::Client::call) it: the reply is an acknowledgement.
//!
//! # How peers end
//! [`Departure`] tells a clean end from a death, a stop of the server, and a peer that was sent
//! away.

mod attach;
mod call;
mod coding;
mod config;
mod limit;
mod refusal;
mod send;
pub(crate) mod shown;
#[cfg(test)]
mod tests;

pub use attach::{BindError, ConnectError, Difference, ServeError};
pub use call::{CallError, Outcome, Rejection};
#[doc(no_inline)]
pub use coding::{DecodeError, EncodeError};
pub use config::{ConfigError, NameError};
pub use limit::Limit;
pub use refusal::{Refusal, Refused};
pub use send::{Departure, SendAllError, SendError};
pub(crate) use shown::chain;
