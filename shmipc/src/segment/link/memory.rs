//! What stands where in a link's segment.
//!
//! ```text
//!    0  header: magic, version, geometry, options     written by the client, once
//!  128  client's words: goodbye, processor            written by the client
//!  256  server's words: accepted, index, goodbye, …   written by the server
//!  384  four doorbells of 256 bytes
//! 1408  four lanes' control words of 512 bytes        see `ring::layout`
//! 3456  reserved (counters of later versions)
//! 4096  the lanes' rings, in the lanes' order
//! ```

use super::{LaneId, LinkFault};
use crate::ring::frame::Checksums;
use crate::ring::{LaneControl, MAXIMUM_CAPACITY, MINIMUM_CAPACITY};
use crate::segment::doorbell::{BellMemory, Doorbell};
use crate::segment::layout::{LAYOUT_VERSION, MAGIC, PAGE, constant};
use crate::segment::options::check_max_message;
use crate::sync::{AtomicU32, AtomicU64, Isolated, Ordering};

#[repr(C, align(128))]
#[cfg_attr(loom, derive(Default))]
pub(super) struct LinkMemory {
    pub(super) magic: AtomicU64,
    pub(super) layout_version: AtomicU32,
    pub(super) doorbell: AtomicU32,
    pub(super) length: AtomicU64,
    pub(super) fingerprint: AtomicU64,
    pub(super) message_ring: AtomicU64,
    pub(super) reply_ring: AtomicU64,
    pub(super) max_message: AtomicU64,
    pub(super) client_pid: AtomicU32,
    pub(super) flags: AtomicU32,
    pub(super) reserved: [AtomicU64; if cfg!(loom) { 0 } else { 8 }],
    pub(super) client: Isolated<ClientWords>,
    pub(super) server: Isolated<ServerWords>,
    pub(super) bells: [BellMemory; 4],
    pub(super) lanes: [LaneControl; 4],
    pub(super) counters: [AtomicU64; if cfg!(loom) { 0 } else { 80 }],
}

#[repr(C)]
#[cfg_attr(loom, derive(Default))]
pub(super) struct ClientWords {
    pub(super) goodbye: AtomicU32,
    pub(super) cpu: AtomicU32,
}

#[repr(C)]
#[cfg_attr(loom, derive(Default))]
pub(super) struct ServerWords {
    pub(super) accepted: AtomicU32,
    pub(super) index: AtomicU32,
    pub(super) pid: AtomicU32,
    pub(super) goodbye: AtomicU32,
    pub(super) id: AtomicU64,
    pub(super) cpu: AtomicU32,
}

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(LinkMemory, client) == 128);
    assert!(offset_of!(LinkMemory, server) == 256);
    assert!(offset_of!(LinkMemory, bells) == 384);
    assert!(offset_of!(LinkMemory, lanes) == 1408);
    assert!(offset_of!(LinkMemory, counters) == 3456);
    assert!(size_of::<LinkMemory>() == PAGE);
};

pub(super) const FLAG_CHECKSUMS: u32 = 1;
pub(super) const FLAG_HANDLES_EVENTS: u32 = 2;

/// What a link is like: chosen by the client within what the server allows, then fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkOptions {
    pub(crate) doorbell: Doorbell,
    pub(crate) checksums: Checksums,
    pub(crate) handles_events: bool,
    pub(crate) message_ring: usize,
    pub(crate) reply_ring: usize,
    pub(crate) max_message: usize,
    pub(crate) fingerprint: u64,
}

impl LinkOptions {
    pub(super) fn ring(&self, lane: LaneId) -> usize {
        match lane {
            LaneId::MessagesToServer | LaneId::MessagesToClient => self.message_ring,
            LaneId::RepliesToClient | LaneId::RepliesToServer => self.reply_ring,
        }
    }

    pub(super) fn ring_offset(&self, lane: LaneId) -> usize {
        PAGE + match lane {
            LaneId::MessagesToServer => 0,
            LaneId::MessagesToClient => self.message_ring,
            LaneId::RepliesToClient => 2 * self.message_ring,
            LaneId::RepliesToServer => 2 * self.message_ring + self.reply_ring,
        }
    }

    /// Bytes in the segment.
    pub(crate) fn segment_length(&self) -> usize {
        memory_for(self.message_ring, self.reply_ring)
    }
}

/// Bytes in the segment of a link with rings of these sizes.
pub(crate) fn memory_for(message_ring: usize, reply_ring: usize) -> usize {
    PAGE + 2 * message_ring + 2 * reply_ring
}

/// Reads the options once and checks them.
pub(super) fn read_options(words: &LinkMemory) -> Result<LinkOptions, LinkFault> {
    // SYNC(link-ready): everything that the client wrote before the version.
    let version = words.layout_version.load(Ordering::Acquire);
    if version != LAYOUT_VERSION || words.magic.load(Ordering::Relaxed) != MAGIC {
        return Err(LinkFault::Damaged("another magic or layout version"));
    }
    let ring = |word: &AtomicU64| {
        let size = usize::try_from(constant(word)).unwrap_or(0);
        let fits = size.is_power_of_two() && (MINIMUM_CAPACITY..=MAXIMUM_CAPACITY).contains(&size);
        if fits { Ok(size) } else { Err(LinkFault::Damaged("a ring size out of range")) }
    };
    let flags = words.flags.load(Ordering::Relaxed);
    Ok(LinkOptions {
        doorbell: Doorbell::from_u32(words.doorbell.load(Ordering::Relaxed))
            .ok_or(LinkFault::Damaged("an unknown doorbell kind"))?,
        checksums: if flags & FLAG_CHECKSUMS != 0 { Checksums::On } else { Checksums::Off },
        handles_events: flags & FLAG_HANDLES_EVENTS != 0,
        message_ring: ring(&words.message_ring)?,
        reply_ring: ring(&words.reply_ring)?,
        max_message: usize::try_from(constant(&words.max_message))
            .ok()
            .filter(|bytes| check_max_message(*bytes).is_ok())
            .ok_or(LinkFault::Damaged("a largest message out of range"))?,
        fingerprint: constant(&words.fingerprint),
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::checks::layout_page::{check, offsets};

    #[test]
    fn layout_page_link() {
        check(
            "Link",
            offsets!(LinkMemory: magic, layout_version, doorbell, length, fingerprint, message_ring,
                reply_ring, max_message, client_pid, flags, client, server, bells, lanes, counters),
        );
        check("Words of the client", offsets!(ClientWords: goodbye, cpu));
        check("Words of the server", offsets!(ServerWords: accepted, index, pid, goodbye, id, cpu));
    }
}
