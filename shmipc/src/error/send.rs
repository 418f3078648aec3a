//! Why a message was not sent, and how a peer ended.

use std::time::Duration;

use super::coding::EncodeError;
use super::shown::{Shown, debug_is_the_sentence};

debug_is_the_sentence!(SendAllError, SendError);

/// How a link ended: by its other side, or by this one ([`ClosedHere`](Self::ClosedHere), which a
/// server that stops tells for each of its clients).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Departure {
    /// It closed the link in an orderly way.
    Closed,
    /// The server stopped in an orderly way.
    ServerStopped,
    /// Its process ended without a goodbye: it was killed, crashed, or called `exit` while its
    /// client or server was not dropped (one in a static never is, nor one that stands in a
    /// function that `std::process::exit` does not come back to). Known from the kernel, which
    /// released the lock that the process held.
    Died,
    /// It was sent away because it did not read what was sent to it.
    TooSlow,
    /// It wrote what no correct peer writes, and was sent away; the text says what.
    Violation(String),
    /// It found that this side wrote what no correct peer writes; the text is the peer's.
    AccusedUs(String),
    /// This side closed the link.
    ClosedHere,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("it closed the link"),
            Self::ServerStopped => f.write_str("the server stopped"),
            Self::Died => f.write_str("its process ended without a goodbye"),
            Self::TooSlow => f.write_str("the link was closed because it was not read in time"),
            Self::Violation(what) => write!(f, "it broke the protocol: {what}"),
            Self::AccusedUs(what) => write!(f, "it ended the link, saying: {what}"),
            Self::ClosedHere => f.write_str("this side closed the link"),
        }
    }
}

/// Why not all of several messages were sent: those before the one that was not have been, and
/// those behind it were not looked at.
#[derive(thiserror::Error)]
#[error("after {sent} messages were sent, the next one was not: {error}")]
#[non_exhaustive]
pub struct SendAllError {
    /// How many messages were sent.
    pub sent: usize,
    /// Why the next one was not.
    #[source]
    pub error: SendError,
}

/// Why a notice or an event was not sent. The message was borrowed, so the caller still has it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Larger than the link allows; nothing was sent.
    #[error(
        "the message has {length} bytes encoded, the link's maximum is {maximum}; nothing was \
         sent: split it, or raise `max_message` on the server's builder"
    )]
    TooLarge {
        /// Encoded length in bytes. Where the message was measured only up to the maximum, one
        /// more than that.
        length: usize,
        /// The link's largest message in bytes.
        maximum: usize,
    },
    /// The message could not be encoded (its `Serialize` failed); nothing was sent.
    #[error("the message could not be encoded, nothing was sent; mend its `Serialize`")]
    Encode(#[source] EncodeError),
    /// The lane stayed full until the deadline; nothing of the message will be seen by the peer.
    #[error(
        "no room for the message within {}: the peer (pid {pid}) is alive and does not read; \
         nothing was delivered, so try again or give it more time",
        Shown(*.waited)
    )]
    Deadline {
        /// How long was waited.
        waited: Duration,
        /// The peer's process id as it gave it.
        pid: u32,
    },
    /// The private queue for a peer that does not read is full.
    #[error(
        "the peer (pid {pid}) does not read and {queued} bytes already wait for it; the message \
         was not sent, try again later or raise `max_queued`"
    )]
    Overflow {
        /// The peer's process id as it gave it.
        pid: u32,
        /// Bytes that wait.
        queued: usize,
    },
    /// The other side is gone.
    #[error("the peer (pid {pid}) is gone: {departure}; the message was not sent, connect again")]
    PeerGone {
        /// The peer's process id as it gave it.
        pid: u32,
        /// How it ended.
        departure: Departure,
    },
    /// This side closed the link before.
    #[error("this link was closed by this side; a client can connect again")]
    Closed,
    /// The peer takes no messages of this kind: a client without an event handler.
    #[error(
        "the peer (pid {pid}) handles no events; it must connect with `on_event` or `serve_events`"
    )]
    NotHandled {
        /// The peer's process id as it gave it.
        pid: u32,
    },
    /// The link was made by a parent of this process, which was forked since; nothing was sent.
    #[error(
        "this link was made before this process was forked and belongs to its parent; nothing was \
         sent: connect again in the child"
    )]
    Forked,
    /// A message for the same link is being encoded on this thread: its `Serialize` sends, calls or
    /// broadcasts itself. Nothing was sent. Also for a [`Local`](crate::Local) whose handler calls
    /// it.
    #[error(
        "a message for this link is being encoded on this thread just now; nothing was sent: send \
         from outside of `Serialize`, or over another client"
    )]
    InsideSerialize,
    /// A deadline of zero can never be met; nothing was sent.
    #[error("the deadline is zero, which no operation can meet; nothing was sent")]
    ZeroDeadline,
}
