//! Values to bytes and back: bincode 2 with `config::legacy()`, the fixed-width little-endian
//! format of bincode 1. Everything that knows the codec stands in this module, so that it can be
//! replaced: bincode is no longer developed, and other crates write the same bytes.
//!
//! # What a lie can cost
//! Left alone, bincode allocates what a length claims before it reads: 28 bytes that claim a string
//! of 2^40 abort the process. [`bounded`] stands between it and every type: text and bytes are
//! borrowed, which looks at what is there first, and it refuses more elements than the payload can
//! hold and values nested without end. bincode's own limit is not set: being part of the type, it
//! would have to come in several sizes, and each of them would decode every message in a copy of
//! the code of its own.

mod bounded;
mod counted;
mod stack;
mod words;

use std::borrow::BorrowMut;
use std::marker::PhantomData;

use bincode::config;
use bincode::enc::write::Writer;
use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, EncodeError};
use bounded::{Bounded, Budget};
use counted::{Depth, Value};

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
#[inline]
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    sink: &mut impl Sink,
) -> Result<(), EncodeFailure> {
    let depth = Depth::new();
    let value = Value(value, &depth);
    match bincode::serde::encode_into_writer(&value, SinkWriter(sink), config::legacy()) {
        Ok(()) => Ok(()),
        Err(bincode::error::EncodeError::UnexpectedEnd) => Err(EncodeFailure::Full),
        Err(other) => Err(EncodeFailure::Value(EncodeError::message(words::of_encoding(other)))),
    }
}

/// Encodes `value` at the end of `bytes`. Past `maximum` bytes it goes on counting without storing,
/// so that the error can tell the real length.
pub(crate) fn encode_to_vec<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    maximum: usize,
) -> Result<(), TooLargeOr> {
    let mut sink = VecSink::new(bytes, maximum);
    match encode(value, &mut sink) {
        Ok(()) => sink.finish().map(drop),
        Err(EncodeFailure::Value(error)) => Err(TooLargeOr::Value(error)),
        // A `VecSink` never refuses, so `Full` can only be the value's own doing.
        Err(EncodeFailure::Full) => Err(TooLargeOr::Value(EncodeError::ended_early())),
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

/// Encoded bytes on their way behind what stands in a buffer. Past `maximum` bytes it goes on
/// counting without storing.
pub(crate) struct VecSink<B> {
    bytes: B,
    start: usize,
    length: usize,
    maximum: usize,
}

impl<B: BorrowMut<Vec<u8>>> VecSink<B> {
    pub(crate) fn new(mut bytes: B, maximum: usize) -> Self {
        let start = bytes.borrow_mut().len();
        Self { bytes, start, length: 0, maximum }
    }

    /// The buffer, if all that came is in it.
    pub(crate) fn finish(self) -> Result<B, TooLargeOr> {
        let Self { bytes, length, maximum, .. } = self;
        if length <= maximum { Ok(bytes) } else { Err(TooLargeOr::TooLarge { length }) }
    }
}

impl<B: BorrowMut<Vec<u8>>> Sink for VecSink<B> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.length = self.length.saturating_add(bytes.len());
        if self.length <= self.maximum {
            self.bytes.borrow_mut().extend_from_slice(bytes);
        } else {
            self.bytes.borrow_mut().truncate(self.start);
        }
        true
    }
}

/// Decodes a whole `bytes` as a `T`, which may borrow from it.
///
/// # Errors
/// The bytes are not a `T`, claim more than they hold, or leave a rest.
#[inline]
pub(crate) fn decode<'m, T: Deserialize<'m>>(bytes: &'m [u8]) -> Result<T, DecodeError> {
    let budget = Budget::new(bytes.len());
    let seed = Bounded::new(PhantomData::<T>, &budget);
    let (value, used) = bincode::serde::seed_decode_from_slice(seed, bytes, config::legacy())
        .map_err(|error| DecodeError::message(words::of_decoding(error)))?;
    if used == bytes.len() { Ok(value) } else { Err(left_over(bytes.len() - used, used)) }
}

#[cold]
fn left_over(rest: usize, used: usize) -> DecodeError {
    DecodeError::message(format!("{rest} bytes are left over after {used}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Sample<'a> {
        Unit,
        Newtype(Option<u8>),
        Tuple(i16, char, f64),
        Struct { text: &'a str, bytes: &'a [u8], list: Vec<(bool, String)> },
        Map(BTreeMap<String, u128>),
    }

    fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_to_vec(value, &mut bytes, 1 << 20).unwrap();
        bytes
    }

    /// Frozen: another codec must write the same bytes, or the layout's version must change.
    #[test]
    fn values_have_these_bytes() {
        assert_eq!(encoded(&Sample::Unit), [0, 0, 0, 0]);
        assert_eq!(encoded(&Sample::Newtype(None)), [1, 0, 0, 0, 0]);
        assert_eq!(encoded(&Sample::Newtype(Some(9))), [1, 0, 0, 0, 1, 9]);
        assert_eq!(
            encoded(&Sample::Tuple(-2, 'ß', 1.5)),
            [2, 0, 0, 0, 0xFE, 0xFF, 0xC3, 0x9F, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F]
        );
        let list = vec![(true, "z".to_owned())];
        assert_eq!(
            encoded(&Sample::Struct { text: "hi", bytes: &[7, 8], list }),
            [
                3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i', 2, 0, 0, 0, 0, 0, 0, 0, 7, 8, 1, 0,
                0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, b'z'
            ]
        );
        let map = BTreeMap::from([("k".to_owned(), 0x0102_u128)]);
        let mut expected = vec![4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, b'k', 2, 1]);
        expected.extend([0; 14]);
        assert_eq!(encoded(&Sample::Map(map)), expected);
    }

    #[test]
    fn what_was_encoded_is_decoded_and_borrows() {
        for value in [
            Sample::Unit,
            Sample::Newtype(Some(1)),
            Sample::Tuple(3, 'x', -0.5),
            Sample::Struct { text: "text", bytes: b"bytes", list: vec![(false, String::new()); 9] },
            Sample::Map((0..50).map(|key| (key.to_string(), key)).collect()),
        ] {
            let bytes = encoded(&value);
            let decoded = decode::<Sample<'_>>(&bytes).unwrap();
            assert_eq!(decoded, value);
            if let Sample::Struct { bytes: borrowed, .. } = decoded {
                assert!(bytes.as_ptr_range().contains(&borrowed.as_ptr()));
            }
        }
    }

    #[test]
    fn a_rest_and_a_lack_of_bytes_are_errors() {
        let bytes = encoded(&7_u32);
        assert!(decode::<u32>(&bytes[..3]).is_err());
        let rest = decode::<u16>(&bytes).unwrap_err();
        assert!(rest.to_string().contains("2 bytes are left over"), "{rest}");
    }

    /// Each of these once aborted the process or kept it busy for hours.
    #[test]
    fn absurd_lengths_end_at_once() {
        let claim = (1_u64 << 40).to_le_bytes();
        assert!(decode::<String>(&claim).is_err());
        assert!(decode::<Vec<u8>>(&claim).is_err());
        // Each asks serde for a buffer of its own in another way.
        assert!(decode::<Box<str>>(&claim).is_err());
        assert!(decode::<std::borrow::Cow<'_, str>>(&claim).is_err());
        assert!(decode::<std::path::PathBuf>(&claim).is_err());
        assert!(decode::<std::ffi::CString>(&claim).is_err());
        assert!(decode::<Option<Box<[u64]>>>(&[&[1], &claim[..]].concat()).is_err());
        assert!(decode::<Vec<()>>(&claim).is_err());
        assert!(decode::<BTreeSet<()>>(&claim).is_err());
        assert!(decode::<HashMap<(), ()>>(&claim).is_err());
        assert!(decode::<Vec<[(); 32]>>(&claim).is_err());
        let nested = [2_u64.to_le_bytes(), 40_000_u64.to_le_bytes(), claim].concat();
        assert!(decode::<Vec<Vec<()>>>(&nested).is_err());
        assert_eq!(decode::<Vec<()>>(&60_000_u64.to_le_bytes()).unwrap().len(), 60_000);
    }

    #[test]
    fn endless_nesting_is_an_error() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Chain(Option<Box<Chain>>);
        assert!(decode::<Chain>(&[1; 1 << 20]).is_err());
        let mut chain = Chain(None);
        for _ in 0..60 {
            chain = Chain(Some(Box::new(chain)));
        }
        assert!(decode::<Chain>(&encoded(&chain)).is_ok());
    }

    /// What the codec's own words said was of no help to anybody.
    #[test]
    fn errors_name_their_cause_in_words_of_this_library() {
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Untagged {
            Number(u32),
            Text(String),
        }
        #[derive(Debug, Serialize, Deserialize)]
        struct Skips {
            #[serde(skip_serializing_if = "Option::is_none")]
            tag: Option<u32>,
            list: Vec<u8>,
        }
        let untagged = decode::<Untagged>(&encoded(&Untagged::Number(7))).unwrap_err();
        assert!(untagged.to_string().contains("`serde_json::Value`"), "{untagged}");
        let skipped = Skips { tag: None, list: Vec::new() };
        let skipped = decode::<Skips>(&encoded(&skipped)).unwrap_err();
        assert!(skipped.to_string().contains("skip_serializing_if"), "{skipped}");
        let empty = decode::<Vec<()>>(&encoded(&vec![(); 70_000])).unwrap_err();
        assert!(empty.to_string().contains("70000 elements"), "{empty}");
        for error in [untagged, skipped, empty] {
            let text = error.to_string();
            let foreign = ["OtherString", "AnyNotSupported", "UnexpectedEnd", "Serde("];
            assert!(foreign.iter().all(|word| !text.contains(word)), "{text}");
        }
    }

    fn refused<T: Serialize>(value: &T) -> String {
        match encode_to_vec(value, &mut Vec::new(), 1 << 20) {
            Err(TooLargeOr::Value(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_too_deep_for_the_senders_stack_is_refused() {
        #[derive(Serialize)]
        struct Chain(u8, Option<Box<Chain>>);
        let mut chain = Chain(1, None);
        for _ in 0..250 {
            chain = Chain(1, Some(Box::new(chain)));
        }
        let small = |size: usize, run: &(dyn Fn() + Sync)| {
            std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(size);
                thread.spawn_scoped(scope, run).unwrap().join().unwrap();
            });
        };
        small(24 << 10, &|| {
            let told = refused(&chain);
            assert!(told.contains("this thread's stack"), "{told}");
        });
        small(4 << 20, &|| assert!(!encoded(&chain).is_empty()));
    }

    /// 256 were 128 for most types, and 85 for some.
    #[test]
    fn as_many_levels_as_promised_are_decoded() {
        #[derive(Debug, Serialize, Deserialize)]
        enum Tree {
            Leaf,
            Branch(u8, Box<Tree>),
        }
        #[derive(Debug, Serialize, Deserialize)]
        struct Chain(u8, Option<Box<Chain>>);
        let tree =
            |levels| (1..levels).fold(Tree::Leaf, |inner, _| Tree::Branch(1, Box::new(inner)));
        let chain =
            |levels| (0..levels).fold(Chain(1, None), |inner, _| Chain(1, Some(inner.into())));
        let on_a_large_stack = std::thread::Builder::new().stack_size(32 << 20).spawn(move || {
            assert!(decode::<Tree>(&encoded(&tree(256))).is_ok());
            assert!(decode::<Chain>(&encoded(&chain(256))).is_ok());
            // One more: the sender is told, and who decodes it too.
            for told in [refused(&tree(257)), refused(&chain(257))] {
                assert!(told.contains("256 levels"), "{told}");
            }
            let deep = [1, 0, 0, 0, 7].repeat(256);
            let deep = decode::<Tree>(&[&deep[..], &[0; 4]].concat()).unwrap_err();
            assert!(deep.to_string().contains("256 levels"), "{deep}");
        });
        on_a_large_stack.unwrap().join().unwrap();
    }

    #[test]
    fn past_the_maximum_the_full_length_is_told_and_nothing_kept() {
        let mut bytes = vec![1, 2];
        match encode_to_vec(&vec![0_u8; 1_000_000], &mut bytes, 100) {
            Err(TooLargeOr::TooLarge { length: 1_000_008 }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(bytes, [1, 2]);
    }
}
