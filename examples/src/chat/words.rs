//! What went wrong, in words for people who chat.

use shmipc::{BindError, CallError, ConnectError, Departure, Refusal, SendError};

use crate::grouped;

const FULL: &str = "this machine's shared memory is full; make room in /dev/shm";

/// Why the chat cannot be served.
pub fn not_bound(error: &BindError) -> String {
    match error {
        BindError::AlreadyServed { name, pid: 0 } => {
            format!("{name:?} is served by somebody already; join it, or choose another name")
        }
        BindError::AlreadyServed { name, pid } => format!(
            "{name:?} is served by somebody already (process {pid}); join it, or choose another \
             name"
        ),
        BindError::OtherUser { name, .. } => {
            format!("the name {name:?} is another user's; choose another")
        }
        BindError::NoRoom { .. } => FULL.into(),
        other => chain(other),
    }
}

/// Why the chat cannot be joined, as long as nothing changes.
pub fn not_connected(error: &ConnectError) -> String {
    match error {
        ConnectError::NoServer { name, .. } => format!("nobody serves {name:?}"),
        ConnectError::NotAnswering { name, .. } => {
            format!("the server of {name:?} does not answer")
        }
        ConnectError::OtherUser { name, .. } => format!("{name:?} is another user's chat"),
        ConnectError::Refused { refusal: Refusal::TooManyLinks, .. } => {
            "the chat is full; try later".into()
        }
        ConnectError::Refused { .. } => "the server does not let you in".into(),
        ConnectError::NotOurs { name, .. }
        | ConnectError::LayoutVersion { name, .. }
        | ConnectError::OtherProtocol { name, .. }
        | ConnectError::OtherVersion { name, .. } => {
            format!("{name:?} is no chat, or one of another version of this program")
        }
        ConnectError::Truncated { name, .. } | ConnectError::Damaged { name, .. } => {
            format!("the chat {name:?} is damaged; start its server again")
        }
        ConnectError::NoRoom { .. } => FULL.into(),
        other => chain(other),
    }
}

/// Why the server did not do what was asked of it.
pub fn not_answered(error: &CallError) -> String {
    match error {
        CallError::NotSent(SendError::TooLarge { maximum, .. }) => {
            format!("too long: at most {} bytes go at a time", grouped(*maximum as u64))
        }
        CallError::NotSent(SendError::Closed) => "you have left".into(),
        CallError::Deadline { .. } => "the server does not answer".into(),
        CallError::PeerGone { .. } | CallError::NotSent(SendError::PeerGone { .. }) => {
            "the server is gone".into()
        }
        CallError::HandlerPanicked { .. } => "the server failed over it".into(),
        other => chain(other),
    }
}

/// How the server went, if not in order.
pub fn gone(how: &Departure) -> String {
    match how {
        Departure::Closed => "the server sent you away".into(),
        Departure::ServerStopped => "the server stopped".into(),
        Departure::Died => "the server is gone without a goodbye".into(),
        Departure::TooSlow => "the server sent you away, as nothing was shown here".into(),
        other => format!("the link to the server broke: {other}"),
    }
}

/// An error that no person brings about, with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
