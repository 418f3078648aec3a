//! Generated code is silent under everything that a strict crate denies.
#![deny(warnings, missing_docs, unused, nonstandard_style, future_incompatible)]
#![deny(rust_2018_idioms, rust_2021_compatibility, rust_2024_compatibility)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    missing_copy_implementations,
    missing_debug_implementations,
    single_use_lifetimes,
    trivial_casts,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// A protocol with what linters dislike.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Strict {
    /// Many arguments.
    Many(u8, u8, u8, u8, u8, u8, u8, u8, u8, u8),
    /// A small variant and a large one, and a complex type.
    #[shm(reply = [u64; 32])]
    Large {
        /// A field.
        #[allow(clippy::type_complexity)]
        field: Option<Box<Vec<Option<Result<(u8, u16), String>>>>>,
    },
    /// Nobody should use it.
    #[deprecated = "use `Large`"]
    Old,
    /// A name that looks like a conversion.
    #[shm(reply = Result<(), ()>)]
    IntoString,
    #[doc(hidden)]
    #[shm(reply = bool)]
    IsEmpty(bool, bool, bool, bool),
    #[allow(missing_docs)]
    NoDocs,
}

/// The same, borrowing.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = Strict)]
pub enum Borrowing<'a> {
    /// References to small things.
    References(#[serde(borrow)] std::borrow::Cow<'a, str>, &'a str),
    /// Nothing borrowed here.
    Owned(String),
}

mod private {
    use serde::{Deserialize, Serialize};
    use shmipc::ShmMessage;

    #[derive(Debug, Clone, Copy, Serialize, Deserialize, ShmMessage)]
    enum NeverUsed {
        Message(u8),
        #[shm(reply = u8)]
        Ask,
    }
}

fn main() {
    let _ = Strict::NAME.len();
}
