//! The messages that are measured, and the checks that they arrive as they were sent.

use anyhow::{Context, Result, bail, ensure};
use bincode::config;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Sixteen texts of sixteen characters: message `n` carries the text `n % 16`, so that a stale
/// buffer shows.
pub const TEXTS: [&str; 16] = [
    "zero is a number",
    "one for the road",
    "two to make pair",
    "three is a crowd",
    "four legs is fun",
    "five golden ring",
    "six pick up stix",
    "seven little sea",
    "eight days awake",
    "nine lives a cat",
    "ten green bottle",
    "eleven pipes are",
    "twelve drums and",
    "thirteen is luck",
    "fourteen bananas",
    "fifteen minutes!",
];

/// The client's number stands in the upper bits of a message's number.
const CLIENT_SHIFT: u32 = 48;
/// Most clients of one server.
const MAXIMUM_CLIENTS: usize = 16;
/// One blob in so many is checked byte for byte, the others at sixteen places.
const FULL_CHECK: u64 = 64;

/// The text that message `number` carries.
#[inline]
#[must_use]
pub fn text(number: u64) -> &'static str {
    TEXTS[(number % 16) as usize]
}

/// The first number of a client's messages.
#[must_use]
pub fn client_number(client: u64) -> u64 {
    client << CLIENT_SHIFT
}

/// What a client says, for rivals that carry bytes or serde values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A request; the same comes back.
    Ask {
        /// Which message.
        number: u64,
        /// [`text`] of the number.
        text: String,
    },
    /// A notice.
    Note {
        /// Which message.
        number: u64,
        /// [`text`] of the number.
        text: String,
    },
    /// A large notice.
    Blob {
        /// Made by [`blob`], stamped by [`stamp`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// How many notices of this client have come, and how many of them were wrong?
    Confirm {
        /// The client's number.
        client: u64,
    },
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Ask`].
    Told {
        /// The request's.
        number: u64,
        /// The request's.
        text: String,
    },
    /// To [`Request::Confirm`].
    Confirmed(Confirmed),
}

/// What came of a client's notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confirmed {
    /// How many came.
    pub count: u64,
    /// How many were out of order or had another content.
    pub wrong: u64,
}

impl Confirmed {
    /// Everything that was sent has come, in order and whole.
    ///
    /// # Errors
    /// It has not.
    pub fn check(self, sent: u64) -> Result<()> {
        let Self { count, wrong } = self;
        ensure!(count == sent, "{count} of {sent} messages came, {wrong} of them out of order");
        ensure!(wrong == 0, "{wrong} of {sent} messages came out of order or changed");
        Ok(())
    }
}

/// The message as a plain struct, for rivals that have no `String`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Plain {
    /// Which message.
    pub number: u64,
    /// [`text`] of the number.
    pub text: [u8; 16],
}

impl Plain {
    /// Message `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(text(number).as_bytes());
        Self { number, text: bytes }
    }
}

/// A reply must bear its request's content.
///
/// # Errors
/// It does not.
#[inline]
pub fn check_reply(number: u64, came: u64, came_text: &[u8]) -> Result<()> {
    if came != number || came_text != text(number).as_bytes() {
        bail!("message {number} was answered with {came}, {:?}", came_text.escape_ascii());
    }
    Ok(())
}

/// Word `index` of every blob, except for its first and last word.
#[inline]
fn word(index: usize) -> u64 {
    (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A blob of so many bytes (a multiple of eight), not stamped yet.
#[must_use]
pub fn blob(size: usize) -> Vec<u8> {
    (0..size / 8).flat_map(|index| word(index).to_le_bytes()).collect()
}

/// Makes the blob message `number`: its number is its first and its last word.
#[inline]
pub fn stamp(blob: &mut [u8], number: u64) {
    let end = blob.len() - 8;
    blob[..8].copy_from_slice(&number.to_le_bytes());
    blob[end..].copy_from_slice(&number.to_le_bytes());
}

#[inline]
fn word_at(blob: &[u8], index: usize) -> Option<u64> {
    let bytes = blob.get(index * 8..index * 8 + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn is_whole(blob: &[u8], size: usize, number: u64) -> bool {
    let words = size / 8;
    if blob.len() != size || word_at(blob, words - 1) != Some(number) {
        return false;
    }
    if number.is_multiple_of(FULL_CHECK) {
        let wrong = blob.chunks_exact(8).enumerate().fold(0, |wrong, (index, bytes)| {
            let found = bytes.try_into().map_or(0, u64::from_le_bytes);
            let inner = index != 0 && index != words - 1;
            wrong | if inner { found ^ word(index) } else { 0 }
        });
        return wrong == 0;
    }
    let step = words / 16;
    (1..16).all(|place| {
        let index = (place * step + number as usize % step).min(words - 2);
        word_at(blob, index) == Some(word(index))
    })
}

/// The receiver's side of the checks, for all clients of a server.
#[derive(Debug, Clone, Default)]
pub struct Checker {
    clients: [Seen; MAXIMUM_CLIENTS],
    blob_size: usize,
}

/// What came from one client.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    confirmed: Confirmed,
    next: u64,
}

impl Seen {
    /// Counts a message. After a gap it goes on from there: one lost message is one wrong one.
    #[inline]
    fn count(&mut self, number: u64, is_whole: bool) {
        let sequence = number & ((1 << CLIENT_SHIFT) - 1);
        self.confirmed.count += 1;
        self.confirmed.wrong += u64::from(sequence != self.next || !is_whole);
        self.next = sequence + 1;
    }
}

impl Checker {
    /// For blobs of this size.
    #[must_use]
    pub fn new(blob_size: usize) -> Self {
        Self { blob_size, ..Self::default() }
    }

    #[inline]
    fn client(&mut self, number: u64) -> &mut Seen {
        &mut self.clients[(number >> CLIENT_SHIFT) as usize % MAXIMUM_CLIENTS]
    }

    /// A small notice came.
    #[inline]
    pub fn note(&mut self, number: u64, came_text: &[u8]) {
        self.client(number).count(number, came_text == text(number).as_bytes());
    }

    /// A blob came.
    #[inline]
    pub fn blob(&mut self, bytes: &[u8]) {
        let number = word_at(bytes, 0).unwrap_or(0);
        let is_whole = is_whole(bytes, self.blob_size, number);
        self.client(number).count(number, is_whole);
    }

    /// What came of a client's notices.
    #[must_use]
    pub fn confirm(&mut self, client: u64) -> Confirmed {
        self.client(client_number(client)).confirmed
    }

    /// Handles a request whole, for rivals that carry serde values.
    #[inline]
    pub fn handle(&mut self, request: Request) -> Option<Reply> {
        match request {
            Request::Ask { number, text } => Some(Reply::Told { number, text }),
            Request::Note { number, text } => {
                self.note(number, text.as_bytes());
                None
            }
            Request::Blob { bytes } => {
                self.blob(&bytes);
                None
            }
            Request::Confirm { client } => Some(Reply::Confirmed(self.confirm(client))),
        }
    }
}

/// Encodes at the end of `to`, in the library's own format.
///
/// # Errors
/// The codec refuses.
#[inline]
pub fn encode<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<()> {
    bincode::serde::encode_into_std_write(value, to, config::legacy()).context("encode")?;
    Ok(())
}

/// Decodes an owned value.
///
/// # Errors
/// The bytes are no such value.
#[inline]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let (value, _) =
        bincode::serde::decode_from_slice(bytes, config::legacy()).context("decode")?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_sixteen_characters_and_is_another() {
        let all: std::collections::HashSet<_> = TEXTS.iter().collect();
        assert_eq!(all.len(), 16);
        assert!(TEXTS.iter().all(|text| text.len() == 16));
    }

    #[test]
    fn a_changed_a_lost_and_a_repeated_blob_are_found() {
        let mut checker = Checker::new(1024);
        let mut bytes = blob(1024);
        for number in 0..3 {
            stamp(&mut bytes, number);
            checker.blob(&bytes);
        }
        assert_eq!(checker.confirm(0), Confirmed { count: 3, wrong: 0 });
        checker.blob(&bytes);
        assert_eq!(checker.confirm(0).wrong, 1);
        let mut other = Checker::new(1024);
        stamp(&mut bytes, 0);
        bytes[100] ^= 1;
        other.blob(&bytes);
        assert_eq!(other.confirm(0).wrong, 1);
    }

    #[test]
    fn notes_are_counted_for_each_client() {
        let mut checker = Checker::default();
        let number = client_number(3);
        checker.note(number, text(number).as_bytes());
        checker.note(number + 1, b"something else !");
        assert_eq!(checker.confirm(3), Confirmed { count: 2, wrong: 1 });
        assert_eq!(checker.confirm(0), Confirmed::default());
    }
}
