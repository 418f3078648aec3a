//! What the fuzz targets in `fuzz/` run: each takes arbitrary bytes and must neither panic, hang,
//! nor touch memory that is not its own. Compiled for them (`--cfg fuzzing`) and for this crate's
//! own tests, which replay the committed corpus on any toolchain; no feature of the crate that a
//! user could turn on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::ring::frame::{Checksums, FragmentFlags, HEADER_LENGTH, Header};

mod attach;
mod lane;

pub use attach::registry;
pub use lane::consumer;

/// A header and a payload.
pub fn frame(data: &[u8]) {
    let Some((bytes, payload)) = data.split_first_chunk::<HEADER_LENGTH>() else { return };
    let Ok((header, checksum)) = Header::parse(Header::words_of(*bytes)) else { return };
    // What was accepted is what is written again: no two headers mean the same.
    assert_eq!(header.to_bytes(checksum), *bytes);
    assert_eq!(header.to_words(checksum), Header::words_of(*bytes));
    assert!(crate::ring::frame::frame_length(u64::from(header.length)) > u64::from(header.length));
    let mut whole = header.to_bytes(0).to_vec();
    whole.extend_from_slice(payload);
    assert_eq!(header.checksum(payload), crate::ring::frame::checksum_of(&whole));
    if let Some(flags) = FragmentFlags::from_u8(header.flags) {
        assert_eq!(flags.to_u8(), header.flags);
    }
}

/// Everything that serde knows, with everything inside everything.
#[derive(Debug, Serialize, Deserialize)]
enum Rich<'a> {
    Unit,
    Small(bool, u8, i8, u16, i16, u32, i32),
    Large { a: u64, b: i64, c: u128, d: i128, e: f32, f: f64, g: char },
    Borrowed(&'a str, &'a [u8]),
    Text(String),
    List(Vec<Rich<'a>>),
    Map(BTreeMap<String, Rich<'a>>),
    Keys(BTreeSet<(u8, String)>),
    Deep(Option<Option<Box<Rich<'a>>>>),
    Tuple(Box<(Rich<'a>, Option<u8>, Rich<'a>)>),
    Array([Option<u16>; 3]),
    Outcome(Result<Vec<String>, Box<Rich<'a>>>),
    Units(Vec<()>),
    UnitLists(Vec<Vec<()>>),
    UnitMap(BTreeMap<(), ()>),
    UnitArrays(Vec<[(); 32]>),
    UnitStructs(Vec<Nothing>),
    Floats(Vec<f64>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

/// A payload. What decodes is encoded, decoded and encoded again, which must give the same bytes.
pub fn decode(data: &[u8]) {
    let Ok(value) = codec::decode::<Rich<'_>>(data) else { return };
    let encoded = encoded(&value);
    // A map's keys may have come in any order, and twice.
    assert!(encoded.len() <= data.len(), "{} bytes of {}", encoded.len(), data.len());
    let again = codec::decode::<Rich<'_>>(&encoded).map(|value| self::encoded(&value));
    assert_eq!(again.ok(), Some(encoded));
}

fn encoded(value: &Rich<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = codec::encode_to_vec(value, &mut bytes, 1 << 30);
    assert!(done.is_ok(), "{done:?}");
    bytes
}

/// Bytes that are used up from the front.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn long(&mut self) -> Option<u32> {
        Some(u32::from(self.word()?) | u32::from(self.word()?) << 16)
    }

    /// At most `most` bytes: fewer where no more are left.
    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

fn checksums(on: bool) -> Checksums {
    if on { Checksums::On } else { Checksums::Off }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn replay(target: &str, run: fn(&[u8])) {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let entries = std::fs::read_dir(&corpus).unwrap();
        let mut count = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            run(&std::fs::read(path).unwrap());
            count += 1;
        }
        assert!(count >= 10, "only {count} files in {}", corpus.display());
    }

    #[test]
    fn the_corpus_of_frame_is_harmless() {
        replay("frame", frame);
    }

    #[test]
    fn the_corpus_of_consumer_is_harmless() {
        replay("consumer", consumer);
    }

    #[test]
    fn the_corpus_of_registry_is_harmless() {
        replay("registry", registry);
    }

    #[test]
    fn the_corpus_of_decode_is_harmless() {
        replay("decode", decode);
    }
}
