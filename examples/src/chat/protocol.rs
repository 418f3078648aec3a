//! What chatters say to each other.

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What somebody who joined may say to the server.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = ChatEvent)]
pub enum Chat {
    /// Takes part under this name; the reply is the names of those who are there.
    #[shm(reply = Result<Vec<String>, JoinError>)]
    Join {
        /// Who comes.
        name: String,
    },
    /// Lines for everybody else. Who types has one, who pipes a file in has many at a time.
    #[shm(reply = Result<(), SayError>)]
    Say {
        /// Without their ends.
        lines: Vec<String>,
    },
}

/// What the server tells those who joined. Each is answered when it was shown, so that the server
/// knows how far everybody is.
#[derive(Debug, Clone, Serialize, Deserialize, ShmMessage)]
pub enum ChatEvent {
    /// Somebody else's lines.
    #[shm(reply = ())]
    Said {
        /// Who said them.
        from: String,
        /// Without their ends.
        lines: Vec<String>,
    },
    /// Somebody came.
    #[shm(reply = ())]
    Joined {
        /// Who came.
        name: String,
    },
    /// Somebody is gone, with or without taking leave.
    #[shm(reply = ())]
    Left {
        /// Who is gone.
        name: String,
        /// Without taking leave.
        suddenly: bool,
    },
    /// Here lines are missing: this reader did not show any for too long.
    #[shm(reply = ())]
    Missed {
        /// How many.
        lines: u64,
    },
}

/// Why somebody cannot take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JoinError {
    /// Somebody has it, or one that people could take for it.
    #[error("{name} is here already, or somebody whose name looks like it")]
    NameTaken {
        /// The name asked for.
        name: String,
    },
    /// It is no name.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// Who asked is in the chat under this name.
    #[error("you have joined as {0} already")]
    JoinedBefore(String),
}

/// Why a name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "a name has 1 to {longest} letters, digits, spaces and - _ . ' and begins with a letter or a \
     digit"
)]
pub struct BadName {
    /// Most characters in a name.
    pub longest: u32,
}

/// Why lines were not passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SayError {
    /// Others still read what was said before: to be said again in a moment.
    #[error("the others are still reading")]
    Busy,
    /// Who says something has no name yet.
    #[error("join first")]
    NotJoined,
}
