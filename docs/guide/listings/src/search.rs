//! A catalogue whose answers take long.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = CatalogueEvent)]
pub enum Catalogue {
    /// Starts a search. The answer comes at once: it is a ticket.
    #[shm(reply = u64)]
    Search { word: String },
    /// How many searches wait?
    #[shm(reply = u64)]
    Waiting,
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum CatalogueEvent {
    /// What the search with this ticket found.
    Found { ticket: u64, titles: Vec<String> },
}
// ANCHOR_END: protocol
