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
    /// A line for everybody else.
    Say { text: String },
}

/// What the server tells those who joined.
#[derive(Debug, Clone, Serialize, Deserialize, ShmMessage)]
pub(crate) enum ChatEvent {
    /// Somebody else's line.
    Said { from: String, text: String },
    /// Somebody came.
    Joined { name: String },
    /// Somebody is gone; why, if not by leaving.
    Left { name: String, why: Option<String> },
}

/// Why somebody cannot take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("the name {0:?} is taken; choose another with `--name`")]
    NameTaken(String),
    #[error("a name needs at least one visible character; choose one with `--name`")]
    EmptyName,
    #[error("this link has joined as {0:?} already")]
    JoinedBefore(String),
}
