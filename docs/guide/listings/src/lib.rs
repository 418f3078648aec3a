//! The protocols of the guide's programs.
//!
//! The programs themselves are in `src/bin`. They are made to be read in the book, next to its
//! text.

#![allow(missing_docs, reason = "the book explains each protocol")]

pub mod camera;
pub mod coins;
pub mod first;
pub mod meter;
pub mod party;
pub mod search;
pub mod thermometer;
