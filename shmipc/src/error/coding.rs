//! Values that are no messages, and bytes that are no values.

use super::shown::debug_is_the_sentence;

debug_is_the_sentence!(EncodeError, DecodeError);

/// A value could not be encoded; the text says why, or is its `Serialize`'s own.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl EncodeError {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn ended_early() -> Self {
        Self("the value ended its own encoding early".into())
    }
}

/// Bytes could not be decoded as the type asked for; the text says why, or is its `Deserialize`'s
/// own.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
