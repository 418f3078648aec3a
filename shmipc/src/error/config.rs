//! What the user wrote was wrong: names and options.

use std::time::Duration;

use super::shown::{Shown, debug_is_the_sentence};

debug_is_the_sentence!(NameError, ConfigError);

/// A server's name that cannot be one.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the server's name is empty; give it between 1 and {maximum} bytes")]
    Empty {
        /// Longest name in bytes.
        maximum: usize,
    },
    /// The name does not fit the segment's name.
    #[error("the server's name has {length} bytes; at most {maximum} fit, choose a shorter one")]
    TooLong {
        /// Bytes in the name given.
        length: usize,
        /// Longest name in bytes.
        maximum: usize,
    },
    /// The name has a character that a segment's name cannot have.
    #[error(
        "the server's name {name:?} has {character:?} at byte {offset}; a name becomes a file's \
         name, so leave out '/' and NUL"
    )]
    ForbiddenCharacter {
        /// The name given.
        name: String,
        /// The first character that is not allowed.
        character: char,
        /// Its offset in bytes.
        offset: usize,
    },
}

/// An option of a builder that cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The ring's size is not a power of two or out of range.
    #[error(
        "a ring of {size} bytes cannot be used; the size must be a power of two from {minimum} to \
         {maximum} bytes"
    )]
    RingSize {
        /// Bytes asked for.
        size: usize,
        /// Smallest ring in bytes.
        minimum: usize,
        /// Largest ring in bytes.
        maximum: usize,
    },
    /// The largest message's size is out of range.
    #[error(
        "a largest message of {size} bytes cannot be used; it must be from {minimum} to {maximum} \
         bytes"
    )]
    MaximumMessage {
        /// Bytes asked for.
        size: usize,
        /// Least value in bytes.
        minimum: usize,
        /// Largest value in bytes.
        maximum: usize,
    },
    /// A deadline of zero can never be met.
    #[error("the {what} is zero, which no operation can meet; give it at least a nanosecond")]
    ZeroDeadline {
        /// Which option.
        what: &'static str,
    },
    /// A count is out of range.
    #[error("{what} of {value} cannot be used; it must be from {minimum} to {maximum}")]
    OutOfRange {
        /// Which option.
        what: &'static str,
        /// The value given.
        value: usize,
        /// Least value.
        minimum: usize,
        /// Largest value.
        maximum: usize,
    },
    /// The portable doorbell needs peers that are trusted, which other users are not.
    #[error(
        "a server with `Doorbell::Event` cannot admit other users: they could write the memory \
         that the system's own code runs on; use `Doorbell::Futex`"
    )]
    DoorbellOfTrust,
    /// The spin budget is longer than any wake-up could cost.
    #[error(
        "a spin budget of {} would burn a processor; at most {}",
        Shown(*.given),
        Shown(*.maximum)
    )]
    SpinBudget {
        /// The budget given.
        given: Duration,
        /// The longest budget.
        maximum: Duration,
    },
}
