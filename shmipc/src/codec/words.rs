//! What the codec's errors mean, in this library's words.

use bincode::error::{DecodeError as Decode, EncodeError as Encode};
use bincode::serde::{DecodeError as SerdeDecode, EncodeError as SerdeEncode};

/// Types that ask the data what they are.
const ASKS: &str = "a type in it asks the bytes what they are, and they do not tell: \
     `serde_json::Value`, or serde's `untagged`, `tag` or `flatten`; use types of a fixed shape";

const ENDS_EARLY: &str = "it ends before its values do; was one of its fields left out \
     (`skip_serializing_if`), or are the two sides' types not the same?";

/// Why bytes are not the value that was asked for.
#[cold]
pub(super) fn of_decoding(error: Decode) -> String {
    match error {
        Decode::OtherString(text) => text,
        Decode::Other(text) => text.to_owned(),
        Decode::UnexpectedEnd { .. } => ENDS_EARLY.to_owned(),
        Decode::InvalidBooleanValue(byte) => format!("a `bool` that is {byte}"),
        Decode::InvalidCharEncoding(bytes) => format!("a `char` that is {bytes:?}"),
        Decode::Utf8 { inner } => format!("a text that is not UTF-8: {inner}"),
        Decode::UnexpectedVariant { type_name, found, .. } => {
            format!("variant {found} of `{type_name}`, which it does not have")
        }
        Decode::EmptyEnum { type_name } => {
            format!("a value of `{type_name}`, of which none exists")
        }
        Decode::OutsideUsizeRange(length) => format!("a length of {length}"),
        Decode::Serde(SerdeDecode::AnyNotSupported | SerdeDecode::IdentifierNotSupported) => {
            ASKS.to_owned()
        }
        Decode::Serde(SerdeDecode::IgnoredAnyNotSupported) => {
            "a type in it skips a value whose shape it does not say (`IgnoredAny`); the bytes do \
             not tell it either"
                .to_owned()
        }
        Decode::Serde(SerdeDecode::CannotBorrowOwnedData) => {
            "a type in it borrows what cannot be borrowed".to_owned()
        }
        // Of types that this codec is never asked for through serde.
        other => format!("what the codec calls {other}"),
    }
}

/// Why a value does not become bytes.
#[cold]
pub(super) fn of_encoding(error: Encode) -> String {
    match error {
        Encode::OtherString(text) => text,
        Encode::Other(text) => text.to_owned(),
        Encode::Serde(SerdeEncode::SequenceMustHaveLength) => {
            "a list or map in it does not say its length before its elements (`flatten` and some \
             iterators do so); collect it first"
                .to_owned()
        }
        other => format!("what the codec calls {other}"),
    }
}
