//! A chat: who is in it, what they say to each other, and what goes wrong. The terminals of `chat`
//! and the windows of `examples/windows` are two faces of it, and meet in one.

mod desk;
mod guest;
mod hall;
mod name;
mod protocol;
mod words;

pub use desk::Desk;
pub use guest::{Joined, NotIn, NotSaid, join, say};
pub use hall::Hall;
pub use name::checked as checked_name;
pub use protocol::{
    BadName, Chat, ChatClient, ChatEvent, ChatEventHandler, ChatEventReply, ChatHandler, ChatReply,
    JoinError, SayError,
};
pub use words::{gone, not_answered, not_bound, not_connected};

use std::time::Duration;

/// Pause before saying again what the others were too busy for.
pub const PAUSE: Duration = Duration::from_millis(5);
