//! Typed messages between processes on one machine, through shared memory.
//!
//! One `#[derive(ShmMessage)]` on the enum that *is* the protocol gives a typed handler trait on
//! one side and typed client methods on the other. While both sides are awake no system call is
//! made. A peer that dies, hangs, lies, or was built from another version of the enum becomes an
//! exact error.
//!
//! # A protocol, a server, a client
//! ```
//! use serde::{Deserialize, Serialize};
//! use shmipc::{Client, Context, Server, ShmMessage};
//!
//! #[derive(Debug, Serialize, Deserialize, ShmMessage)]
//! enum Library {
//!     /// A notice: nobody waits.
//!     Note { text: String },
//!     /// A request: the handler's return value travels back.
//!     #[shm(reply = u64)]
//!     Count { word: String },
//! }
//!
//! #[derive(Default)]
//! struct Shelf(Vec<String>);
//!
//! impl LibraryHandler for Shelf {
//!     fn note(&mut self, _cx: &Context<Library>, text: String) {
//!         self.0.push(text);
//!     }
//!     fn count(&mut self, _cx: &Context<Library>, word: String) -> u64 {
//!         self.0.iter().filter(|text| text.contains(&word)).count() as u64
//!     }
//! }
//!
//! // In one process:
//! let name = format!("library-{}", std::process::id());
//! let running = Server::<Library>::bind(&name)?.serve(Shelf::default())?;
//!
//! // In another:
//! let library = Client::<Library>::connect(&name)?;
//! library.note("hello world".into())?;
//! assert_eq!(library.count("hello".into())?, 1);
//!
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to read on
//! - [`ShmMessage`](derive@ShmMessage), the derive: every attribute, and what is generated.
//! - [`Server`] and [`ServerBuilder`]; [`Client`] and [`ClientBuilder`].
//! - [`Context`], what a handler may ask: who is calling ([`Peer`]), the server ([`ServerHandle`]).
//! - [`error`]: what can go wrong, and what to do about it.
//! - [`Caller`] and [`Local`]: testing handlers and clients without shared memory.
//! - `docs/user-code.md` beside the sources: what your own code may do where the library calls it.
//!
//! # Vocabulary
//! A **server** binds a name, **clients** connect to it; once linked both are **peers**. A
//! **message** is a value of a protocol enum: a **request** if its variant declares a reply, a
//! **notice** if not. An **event** is a message from server to client. A **link** is one client's
//! connection: a segment of shared memory with four **lanes**, one for messages and one for replies
//! each way. The **listener** is the thread that takes messages out of lanes and calls the handler.
//!
//! # Order
//! What one thread sends arrives in its order, whole, each once. There is no order between threads,
//! nor between replies and events: they come through different lanes. Success of a send means that
//! the lane has the message, not that it was handled; a request's reply means that it was. What a
//! peer sent before its end, however it ended, is handled before a handler's `peer_departed` is
//! called: all that a send told success of, unless this side ended the link.
//!
//! # Threads
//! A server has one listener thread, and so has a client that handles events; handlers own their
//! state (`&mut self`), as the listener is their only caller. Clients are `Clone + Send + Sync`,
//! and any number of threads may call at once. Handlers may send and call, and nothing is locked
//! while they run. In a program with a GUI, have the handler pass events to the GUI's thread
//! through a channel.
//!
//! The library's own threads (`shmipc-listener`, `shmipc-events`, `shmipc-watch` and others) block
//! signals, so that a program's handlers run on its own threads, and take neither priority nor
//! processors from the thread that happens to start them. [`ServerBuilder::on_thread`] and
//! [`ClientBuilder::on_thread`] have the last word. All of it: `docs/threads-and-forks.md` beside
//! the sources.
//!
//! # Waiting
//! Who waits spins for a bounded time (about what a wake-up costs; never on one processor), then
//! sleeps, and is woken by the peer. [`ServerBuilder::spin`] and [`ClientBuilder::spin`] choose how
//! long; zero never spins. An idle link costs nothing but memory.
#![cfg_attr(doc, doc = include_str!("../../docs/threat-model.md"))]
//!
//! # Limits
//! Linux. Messages up to 1 GiB ([`ServerBuilder::max_message`], 64 MiB unless changed), 65,536
//! elements without bytes, 4,032 links for each server. 256 levels of nesting: a level is an enum's
//! value, a `Some`, a list or a map inside another of these; structs, tuples and boxes do not
//! count. What a value takes of the stack while it is decoded is asked for at each level: it is an
//! error, and not an overflow, where a thread has too little (a caller decodes its replies;
//! listeners have 32 MiB). On a stack that is not the thread's own, a coroutine's, nothing is known
//! of it: only the levels are bounded there.
//!
//! # Forks
//! Links and servers stay with the process that made them. In a forked child their use is an error
//! ([`SendError::Forked`], [`ServeError::Forked`]), dropping them does nothing, and the child's
//! life or end means nothing to the peers; it may connect and bind for itself. How a child is told
//! that `fork` did not make: `docs/threads-and-forks.md`.

// Models run parts of the crate.
#![cfg_attr(loom, allow(dead_code, unused_imports))]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "shmipc runs on 64-bit Linux only (x86_64, aarch64 and others; see the table in its README): \
     it needs Linux's open-file-description locks and futexes, and processes that share 64-bit \
     positions; build for a 64-bit Linux target"
);

#[cfg(any(fuzzing, test))]
mod checks;
mod codec;
mod endpoint;
pub mod error;
mod link;
mod os;
mod panics;
mod ring;
mod segment;
#[cfg(not(shmipc_steps))]
mod step;
#[cfg(shmipc_steps)]
#[doc(hidden)]
pub mod step;
mod sync;
mod typed;

pub use endpoint::{BackPressure, ClientBuilder, Running, Server, ServerBuilder};
#[doc(inline)]
pub use error::{
    BindError, CallError, ConfigError, ConnectError, DecodeError, Departure, Difference,
    EncodeError, Limit, NameError, Outcome, Refusal, Refused, Rejection, SendAllError, SendError,
    ServeError,
};
pub use segment::{Admission, Doorbell};
pub use shmipc_derive::ShmMessage;
pub use typed::{
    Broadcast, Caller, Client, Context, Dispatch, Local, NoEvents, Peer, ServerHandle, ShmMessage,
    Variant,
};

/// The README's programs, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What the fuzz targets run.
#[cfg(all(any(fuzzing, test), not(loom)))]
#[doc(hidden)]
pub mod __fuzz {
    pub use crate::checks::fuzz::*;
}

/// What the derive's output needs. Not for use by hand: anything here may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::error::DecodeError;
    pub use crate::link::responder::{Responded, Responder};
    pub use crate::typed::Dispatch;
    pub use crate::typed::message::{decode_reply, unknown_variant};
}
