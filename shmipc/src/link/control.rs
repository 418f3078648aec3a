//! The two payloads that are not the user's: a failure instead of a reply, and a goodbye. Both are
//! a code and a text; the text may come from a hostile peer, so it is cut and made valid.

use crate::error::{CallError, Departure, Rejection};

/// Longest text in bytes.
const MAXIMUM_TEXT: usize = 1024;

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    HandlerPanicked(String),
    Undecodable(String),
    NotHandled,
    ReplyFailed(String),
}

impl Failure {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::HandlerPanicked(text) => with_code(1, text),
            Self::Undecodable(text) => with_code(2, text),
            Self::NotHandled => with_code(3, ""),
            Self::ReplyFailed(text) => with_code(4, text),
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (code, text) = take_apart(bytes);
        match code {
            1 => Self::HandlerPanicked(text),
            2 => Self::Undecodable(text),
            3 => Self::NotHandled,
            4 => Self::ReplyFailed(text),
            other => Self::ReplyFailed(format!("failure {other}, which this side does not know")),
        }
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::HandlerPanicked(message) => Self::HandlerPanicked { message },
            Failure::Undecodable(why) => Self::Rejected(Rejection::Undecodable(why)),
            Failure::NotHandled => Self::Rejected(Rejection::NotHandled),
            Failure::ReplyFailed(why) => Self::ReplyFailed { why },
        }
    }
}

/// Why a side ends a link, as the peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goodbye {
    Closed,
    ServerStopped,
    TooSlow,
    Violation(String),
}

impl Goodbye {
    /// The word in the segment; never zero.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Self::Closed => 1,
            Self::ServerStopped => 2,
            Self::TooSlow => 3,
            Self::Violation(_) => 4,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Violation(text) => with_code(4, text),
            other => with_code(other.code() as u8, ""),
        }
    }

    /// What the peer's word means here.
    pub(crate) fn departure(code: u32) -> Departure {
        match code {
            2 => Departure::ServerStopped,
            3 => Departure::TooSlow,
            4 => Departure::AccusedUs("it found this side's frames damaged".into()),
            _ => Departure::Closed,
        }
    }

    /// What the peer's frame means here; it says more than the word.
    pub(crate) fn departure_from(bytes: &[u8]) -> Departure {
        match take_apart(bytes) {
            (4, text) => Departure::AccusedUs(text),
            (code, _) => Self::departure(u32::from(code)),
        }
    }
}

fn with_code(code: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend_from_slice(&text.as_bytes()[..text.len().min(MAXIMUM_TEXT)]);
    bytes
}

fn take_apart(bytes: &[u8]) -> (u8, String) {
    let (code, text) = bytes.split_first().map_or((0, &[][..]), |(code, text)| (*code, text));
    let text = &text[..text.len().min(MAXIMUM_TEXT)];
    (code, String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_way() {
        for failure in [
            Failure::HandlerPanicked("boom".into()),
            Failure::Undecodable("no".into()),
            Failure::NotHandled,
            Failure::ReplyFailed("too large".into()),
        ] {
            assert_eq!(Failure::from_bytes(&failure.to_bytes()), failure);
        }
    }

    #[test]
    fn hostile_texts_are_cut_and_made_valid() {
        let long = vec![0xFF; 5_000];
        assert!(matches!(Failure::from_bytes(&long), Failure::ReplyFailed(_)));
        let mut panicked = vec![1];
        panicked.extend(std::iter::repeat_n(b'x', 9_000));
        assert_eq!(
            Failure::from_bytes(&panicked),
            Failure::HandlerPanicked("x".repeat(MAXIMUM_TEXT))
        );
        assert!(matches!(Failure::from_bytes(&[]), Failure::ReplyFailed(_)));
    }

    #[test]
    fn a_goodbye_names_its_reason() {
        let goodbye = Goodbye::Violation("a pad behind a pad".into());
        assert_eq!(
            Goodbye::departure_from(&goodbye.to_bytes()),
            Departure::AccusedUs("a pad behind a pad".into())
        );
        assert_eq!(Goodbye::departure(Goodbye::TooSlow.code()), Departure::TooSlow);
    }
}
