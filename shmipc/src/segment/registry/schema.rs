//! What a registry tells of its server.

use serde::{Deserialize, Serialize};

use crate::segment::doorbell::Doorbell;

/// Most bytes in an encoded schema.
pub(super) const MAXIMUM_SCHEMA: usize = 1 << 20;

/// A protocol, as far as those who bind and who connect must know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) fingerprint: u64,
    pub(crate) schema: fn() -> Schema,
}

/// What a server tells of its protocol besides the fingerprint, so that a mismatch can be
/// explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    pub(crate) protocol: String,
    pub(crate) variants: Vec<(String, u64)>,
    pub(crate) events: String,
    pub(crate) event_variants: Vec<(String, u64)>,
}

/// What a server tells its clients in its registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegistryOptions {
    pub(crate) doorbell: Doorbell,
    pub(crate) checksums: bool,
    pub(crate) max_message: usize,
    pub(crate) message_ring: usize,
    pub(crate) reply_ring: usize,
    pub(crate) max_links: usize,
}
