//! Values to bytes and back: bincode 2 with `config::legacy()`, the fixed-width little-endian format
//! of bincode 1. Everything that knows the codec stands in this module, so that it can be replaced:
//! bincode is no longer developed, and other crates write the same bytes.
//!
//! # What a lie can cost
//! Without a limit, bincode allocates what a length claims before it reads: 28 bytes that claim a
//! string of 2^40 abort the process. Its limit is a compile-time constant, so decoding picks the
//! smallest of a few tiers that holds the payload.

use bincode::config::{self, Config};
use bincode::enc::write::Writer;
use serde::{Deserialize, Serialize};

/// A value could not be encoded; the text is its `Serialize`'s own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

/// Bytes could not be decoded as the type asked for; the text is the decoder's own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Where encoded bytes go.
pub(crate) trait Sink {
    /// Takes all of `bytes`, or answers `false` and takes none.
    fn put(&mut self, bytes: &[u8]) -> bool;
}

/// Why nothing usable is in the sink.
#[derive(Debug)]
pub(crate) enum EncodeFailure {
    /// The sink took no more.
    Full,
    /// The value refused.
    Value(EncodeError),
}

/// Encodes `value` into `sink`.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    sink: &mut impl Sink,
) -> Result<(), EncodeFailure> {
    match bincode::serde::encode_into_writer(value, SinkWriter(sink), config::legacy()) {
        Ok(()) => Ok(()),
        Err(bincode::error::EncodeError::UnexpectedEnd) => Err(EncodeFailure::Full),
        Err(other) => Err(EncodeFailure::Value(EncodeError(other.to_string()))),
    }
}

/// Encodes `value` at the end of `bytes`. Past `maximum` bytes it goes on counting without storing,
/// so that the error can tell the real length.
pub(crate) fn encode_to_vec<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    maximum: usize,
) -> Result<(), TooLargeOr> {
    let mut sink = VecSink { start: bytes.len(), bytes, length: 0, maximum };
    match encode(value, &mut sink) {
        Ok(()) if sink.length <= maximum => Ok(()),
        Ok(()) => Err(TooLargeOr::TooLarge { length: sink.length }),
        Err(EncodeFailure::Value(error)) => Err(TooLargeOr::Value(error)),
        // A `VecSink` never refuses, so `Full` can only be the value's own doing.
        Err(EncodeFailure::Full) => {
            Err(TooLargeOr::Value(EncodeError("the value ended its own encoding early".into())))
        }
    }
}

/// Why [`encode_to_vec`] gave nothing.
#[derive(Debug)]
pub(crate) enum TooLargeOr {
    /// The encoding is longer than the maximum.
    TooLarge {
        /// Its full length in bytes.
        length: usize,
    },
    /// The value refused.
    Value(EncodeError),
}

struct SinkWriter<'a, S>(&'a mut S);

impl<S: Sink> Writer for SinkWriter<'_, S> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        if self.0.put(bytes) { Ok(()) } else { Err(bincode::error::EncodeError::UnexpectedEnd) }
    }
}

struct VecSink<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    length: usize,
    maximum: usize,
}

impl Sink for VecSink<'_> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.length = self.length.saturating_add(bytes.len());
        if self.length <= self.maximum {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.bytes.truncate(self.start);
        }
        true
    }
}

/// Decodes a whole `bytes` as a `T`, which may borrow from it.
///
/// # Errors
/// The bytes are not a `T`, claim more than they hold, or leave a rest.
pub(crate) fn decode<'m, T: Deserialize<'m>>(bytes: &'m [u8]) -> Result<T, DecodeError> {
    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    match bytes.len() {
        0..=256 => decode_within(bytes, config::legacy().with_limit::<256>()),
        257..=4_096 => decode_within(bytes, config::legacy().with_limit::<{ 4 * KIB }>()),
        4_097..=65_536 => decode_within(bytes, config::legacy().with_limit::<{ 64 * KIB }>()),
        65_537..=1_048_576 => decode_within(bytes, config::legacy().with_limit::<{ MIB }>()),
        1_048_577..=16_777_216 => {
            decode_within(bytes, config::legacy().with_limit::<{ 16 * MIB }>())
        }
        16_777_217..=268_435_456 => {
            decode_within(bytes, config::legacy().with_limit::<{ 256 * MIB }>())
        }
        _ => decode_within(bytes, config::legacy().with_limit::<{ 2048 * MIB }>()),
    }
}

fn decode_within<'m, T: Deserialize<'m>, C: Config>(
    bytes: &'m [u8],
    config: C,
) -> Result<T, DecodeError> {
    let (value, used) = bincode::serde::borrow_decode_from_slice(bytes, config)
        .map_err(|error| DecodeError(error.to_string()))?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(DecodeError(format!("{} bytes are left over after {used}", bytes.len() - used)))
    }
}
