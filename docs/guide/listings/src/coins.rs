//! The jukebox that takes coins: errors of its own, and requests that must not run twice.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum CoinBox {
    /// Puts a coin in. The answer is the credit in cents.
    #[shm(reply = Result<u32, Refused>)]
    Insert { coin: u32 },
    /// The credit in cents.
    #[shm(reply = u32)]
    Credit,
    /// How many songs of this price does the credit buy?
    #[shm(reply = u32)]
    Songs { price: u32 },
}

/// Why a coin was refused. An answer like any other: it travels in the reply.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    NoSuchCoin { known: Vec<u32> },
    BoxIsFull,
}
// ANCHOR_END: protocol
