//! Windows that talk through shmipc: what they have in common, and the two of them.
//!
//! One rule holds in all of it: **the window's thread never waits for the library.** Connecting,
//! saying and leaving are done by threads of their own; what comes of it, and what peers say, goes
//! through an [`inbox`], which wakes the window. A [`session`] is such a thread.

pub mod chat;
pub mod desktop;
pub mod gauge;
pub mod inbox;
pub mod session;
pub mod standing;
pub mod text;
