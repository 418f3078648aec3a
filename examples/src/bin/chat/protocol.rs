//! What chatters say to each other.

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What somebody who joined may say to the server.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = ChatEvent)]
pub(crate) enum Chat {
    /// Takes part under this name; the reply is the names of those who are there.
    #[shm(reply = Result<Vec<String>, JoinError>)]
    Join { name: String },
    /// Lines for everybody else. Who types has one, who pipes a file in has many at a time.
    #[shm(reply = Result<(), SayError>)]
    Say { lines: Vec<String> },
}

/// What the server tells those who joined. Each is answered when it was shown, so that the server
/// knows how far everybody is.
#[derive(Debug, Clone, Serialize, Deserialize, ShmMessage)]
pub(crate) enum ChatEvent {
    /// Somebody else's lines.
    #[shm(reply = ())]
    Said { from: String, lines: Vec<String> },
    /// Somebody came.
    #[shm(reply = ())]
    Joined { name: String },
    /// Somebody is gone, with or without taking leave.
    #[shm(reply = ())]
    Left { name: String, suddenly: bool },
    /// Here so many lines are missing: this terminal did not show any for too long.
    #[shm(reply = ())]
    Missed { lines: u64 },
}

/// Why somebody cannot take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(
        "{name} is here already, or somebody whose name looks like it; choose another with \
         `--name`"
    )]
    NameTaken { name: String },
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error("this terminal has joined as {0} already")]
    JoinedBefore(String),
}

/// Why a name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "a name has 1 to {longest} letters, digits, spaces and - _ . ' and begins with a letter or a \
     digit; choose one with `--name`"
)]
pub(crate) struct BadName {
    pub(crate) longest: u32,
}

/// Why lines were not passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum SayError {
    /// Others still read what was said before: to be said again in a moment.
    #[error("the others are still reading")]
    Busy,
    #[error("join first")]
    NotJoined,
}
