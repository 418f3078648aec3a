//! How a call ended, when it did not end with its reply.

use std::time::Duration;

use super::coding::DecodeError;

use super::shown::{Shown, debug_is_the_sentence};
use super::{Departure, SendError};

debug_is_the_sentence!(CallError);

/// Did a request run that ended in an error?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Certainly not, and it never will: a retry cannot make it run twice.
    NotStarted,
    /// It may have run, may be running, or may still run. Retry only what may run twice.
    MayHaveRun,
    /// It ran.
    Ran,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotStarted => {
                "the request did not start, so sending it again cannot make it run twice"
            }
            Self::MayHaveRun => "the request may have run, so retry only if it may run twice",
            Self::Ran => "the request ran",
        })
    }
}

/// Why the other side did not run a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// It could not decode the message; the text is its decoder's.
    Undecodable(String),
    /// It has no handler for it.
    NotHandled,
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Undecodable(why) => write!(
                f,
                "it could not decode the message: {why}; sending it again will not help, and if \
                 this program's own types are the other side's too, such a value cannot be sent"
            ),
            Self::NotHandled => f.write_str(
                "its closure for events answers no requests; connect with `serve_events`",
            ),
        }
    }
}

/// How a call ended, when it did not end with its reply.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request was not sent at all: too large, not encodable, no room, link closed.
    #[error(transparent)]
    NotSent(SendError),
    /// No reply within the deadline. A reply that comes later is discarded.
    #[error("no reply from the peer (pid {pid}) within {}; {outcome}", Shown(*.waited))]
    Deadline {
        /// How long was waited.
        waited: Duration,
        /// The peer's process id as it gave it.
        pid: u32,
        /// Whether the request ran.
        outcome: Outcome,
    },
    /// The other side is gone.
    #[error("the peer (pid {pid}) is gone: {departure}; {outcome}; connect again")]
    PeerGone {
        /// The peer's process id as it gave it.
        pid: u32,
        /// How it ended.
        departure: Departure,
        /// Whether the request ran.
        outcome: Outcome,
    },
    /// The handler panicked while it handled this request. The other side goes on.
    #[error("the peer's handler panicked: {message}; the request ran in part, mend the handler")]
    HandlerPanicked {
        /// The panic's message.
        message: String,
    },
    /// The other side received the request and did not run it.
    #[error("the peer rejected the request: {0}")]
    Rejected(Rejection),
    /// The handler ran, but its reply could not be sent; the text says why.
    #[error(
        "the request ran, but its reply could not be sent: {why}; retry only what may run twice"
    )]
    ReplyFailed {
        /// The other side's reason.
        why: String,
    },
    /// The reply came and cannot be decoded as its type.
    #[error(
        "the request ran, but its reply cannot be decoded here; if both sides are built from the \
         same types, such a value cannot be sent"
    )]
    UndecodableReply(#[source] DecodeError),
}

impl CallError {
    /// Did the request run? [`Outcome::NotStarted`] means that a retry cannot run it twice.
    ///
    /// ```
    /// use shmipc::{CallError, Outcome, SendError};
    /// let error = CallError::NotSent(SendError::Closed);
    /// assert_eq!(error.outcome(), Outcome::NotStarted);
    /// ```
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotSent(_) | Self::Rejected(_) => Outcome::NotStarted,
            Self::Deadline { outcome, .. } | Self::PeerGone { outcome, .. } => *outcome,
            Self::HandlerPanicked { .. } | Self::ReplyFailed { .. } | Self::UndecodableReply(_) => {
                Outcome::Ran
            }
        }
    }

    /// Is the other side gone?
    #[must_use]
    pub fn is_peer_gone(&self) -> bool {
        matches!(self, Self::PeerGone { .. } | Self::NotSent(SendError::PeerGone { .. }))
    }
}

impl From<SendError> for CallError {
    /// A send that failed because the peer is gone or time ran out is that for the call too.
    fn from(error: SendError) -> Self {
        match error {
            SendError::PeerGone { pid, departure } => {
                Self::PeerGone { pid, departure, outcome: Outcome::NotStarted }
            }
            SendError::Deadline { waited, pid } => {
                Self::Deadline { waited, pid, outcome: Outcome::NotStarted }
            }
            other => Self::NotSent(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_that_found_the_peer_gone_certainly_did_not_start() {
        let error = CallError::from(SendError::PeerGone { pid: 7, departure: Departure::Died });
        assert!(error.is_peer_gone());
        assert_eq!(error.outcome(), Outcome::NotStarted);
        assert!(error.to_string().contains("cannot make it run twice"), "{error}");
    }

    #[test]
    fn a_panic_counts_as_run() {
        let error = CallError::HandlerPanicked { message: "boom".into() };
        assert_eq!(error.outcome(), Outcome::Ran);
        assert!(error.to_string().contains("boom"));
    }
}
