//! The layout of the segments as an attacker knows it: copied from the docs of the library's
//! `segment::link`, `segment::registry`, `ring::layout` and `frame`, never from its code, and kept
//! in this one file. Whoever changes the layout changes it here too; `hostile-run` fails at once if
//! the two differ, because then no session is taken on.

/// What every segment starts with.
pub const MAGIC: u64 = u64::from_le_bytes(*b"shmipc\r\n");
/// The layout's version that this file describes.
pub const VERSION: u32 = 2;
/// Where segments are files.
pub const DIRECTORY: &str = "/dev/shm";

/// Words of a link's header and of both sides' parts.
pub mod link {
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 8;
    pub const DOORBELL: usize = 12;
    pub const LENGTH: usize = 16;
    pub const FINGERPRINT: usize = 24;
    pub const MESSAGE_RING: usize = 32;
    pub const REPLY_RING: usize = 40;
    pub const MAX_MESSAGE: usize = 48;
    pub const CLIENT_PID: usize = 56;
    pub const FLAGS: usize = 60;
    pub const CLIENT_GOODBYE: usize = 128;
    pub const SERVER_ACCEPTED: usize = 256;
    pub const SERVER_INDEX: usize = 260;
    pub const SERVER_PID: usize = 264;
    pub const SERVER_GOODBYE: usize = 268;
    pub const SERVER_ID: usize = 272;
    pub const BELLS: usize = 384;
    pub const BELL_LENGTH: usize = 256;
    pub const LANES: usize = 1408;
    pub const LANE_LENGTH: usize = 512;
    pub const RINGS: usize = 4096;

    pub const FLAG_CHECKSUMS: u32 = 1;
    pub const FLAG_HANDLES_EVENTS: u32 = 2;
    /// The byte that the client locks for its life, and the server's.
    pub const CLIENT_BYTE: i64 = 0;
    pub const SERVER_BYTE: i64 = 1;
    /// A goodbye word that accuses the other side.
    pub const VIOLATION: u32 = 4;
}

/// Words of a lane's control block.
pub mod lane {
    pub const HEAD: usize = 0;
    pub const CONSUMER_WAITS: usize = 128;
    pub const PRODUCER_WAITS: usize = 256;
}

/// Words of a registry.
pub mod registry {
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 8;
    pub const LENGTH: usize = 16;
    pub const FINGERPRINT: usize = 32;
    pub const PID: usize = 40;
    pub const MAX_MESSAGE: usize = 48;
    pub const MESSAGE_RING: usize = 56;
    pub const BELL: usize = 128;
    pub const LISTENER_WAITS: usize = 384;
    pub const READY_SUMMARY: usize = 512;
    pub const READY: usize = 640;
    pub const READY_WORDS: usize = 63;
    pub const SLOTS: usize = 1152;
    pub const SLOT_LENGTH: usize = 128;
    pub const SLOT_COUNT: usize = 64;
    pub const SCHEMA: usize = 9344;
    pub const SCHEMA_LENGTH: usize = 76;

    pub const SLOT_REQUEST: usize = 0;
    pub const SLOT_LINK: usize = 8;
    pub const SLOT_ANSWER: usize = 24;
    pub const SLOT_ANSWERED: usize = 32;
    pub const CLAIMED: u32 = 1;
    pub const READY_REQUEST: u32 = 2;
    pub const ACCEPTED: u32 = 1;
    pub const HAND_OVER: u64 = 1 << 63;
    pub const SERVER_BYTE: i64 = 0;
    /// Held beside the server's by who cleans up after a dead one.
    pub const CLEANER_BYTE: i64 = 8;
    pub const FIRST_SLOT_BYTE: i64 = 16;
}

/// Kinds of frames.
pub mod kind {
    pub const NOTICE: u8 = 1;
    pub const REQUEST: u8 = 2;
    pub const REPLY: u8 = 3;
    pub const FAILURE: u8 = 4;
    pub const FRAGMENT: u8 = 5;
    pub const PAD: u8 = 6;
    pub const GOODBYE: u8 = 7;
    pub const GAP: u8 = 8;
    /// Of a fragment's flags.
    pub const FIRST: u8 = 1;
    pub const LAST: u8 = 2;
}

/// Bytes in a frame's header.
pub const HEADER: usize = 16;
/// Frames start at multiples of so many bytes.
pub const ALIGNMENT: usize = 64;
/// Where the checksum stands in a header.
pub const CHECKSUM: std::ops::Range<usize> = 4..8;

/// Where the word stands that, filled last and not zero, says that a frame is there.
pub const PRESENCE: usize = 8;

/// The checksum over a header, with zero in the checksum's place, and a payload.
#[must_use]
pub fn checksum(header: &[u8; HEADER], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let mut covered = *header;
    covered[CHECKSUM].fill(0);
    hasher.update(&covered);
    hasher.update(payload);
    hasher.finalize()
}

/// The lanes of a link, as they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    MessagesToServer = 0,
    MessagesToClient = 1,
    RepliesToClient = 2,
    RepliesToServer = 3,
}

impl Lane {
    /// Where its control words begin.
    #[must_use]
    pub const fn control(self) -> usize {
        link::LANES + self as usize * link::LANE_LENGTH
    }

    /// Where its ring begins, and how long it is.
    #[must_use]
    pub const fn ring(self, message_ring: usize, reply_ring: usize) -> (usize, usize) {
        let start = link::RINGS;
        match self {
            Self::MessagesToServer => (start, message_ring),
            Self::MessagesToClient => (start + message_ring, message_ring),
            Self::RepliesToClient => (start + 2 * message_ring, reply_ring),
            Self::RepliesToServer => (start + 2 * message_ring + reply_ring, reply_ring),
        }
    }
}
