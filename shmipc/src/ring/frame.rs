//! The frame: a 16-byte header and a payload. Pure: no shared memory, no `unsafe`.
//!
//! ```text
//!  0  u32  payload length in bytes
//!  4  u32  CRC-32 (IEEE 802.3) of the header with zero here, then the payload; 0 without checksums
//!  8  u8   kind
//!  9  u8   flags
//! 10  u16  reserved, zero
//! 12  u32  call id; 0 where nobody waits for an answer
//! ```
//!
//! All little-endian. A pad's checksum covers its header alone: its payload is whatever stood
//! there.
//!
//! A header is two words of eight bytes. The second is never zero in a frame, as its kind is not:
//! in a ring it is stored last and says that the frame is there.

/// Bytes in a header.
pub(crate) const HEADER_LENGTH: usize = 16;
/// Frames start at multiples of this many bytes: a line of the cache, so that header and payload of
/// a small message pass from one processor to the other in one piece, and no line holds two frames.
pub(crate) const FRAME_ALIGNMENT: usize = 64;

/// What a frame is. Zero is no kind, so that untouched memory is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A message that nobody waits for.
    Notice = 1,
    /// A message whose sender waits for the reply with the same call id.
    Request = 2,
    /// The reply to a request.
    Reply = 3,
    /// Instead of a reply: why there is none.
    Failure = 4,
    /// A part of a message that is larger than a frame may be.
    Fragment = 5,
    /// Filler up to the ring's end.
    Pad = 6,
    /// The last frame of a lane: the sender ends the link and says why.
    Goodbye = 7,
    /// Here messages were dropped; the payload is their number, `u64` little-endian.
    Gap = 8,
}

impl Kind {
    /// The kind with number `byte`.
    #[inline]
    pub(crate) const fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Notice,
            2 => Self::Request,
            3 => Self::Reply,
            4 => Self::Failure,
            5 => Self::Fragment,
            6 => Self::Pad,
            7 => Self::Goodbye,
            8 => Self::Gap,
            _ => return None,
        })
    }

    /// Kinds that may be cut into fragments.
    const fn may_be_cut(self) -> bool {
        matches!(self, Self::Notice | Self::Request | Self::Reply | Self::Failure)
    }
}

/// A fragment's flags: which part it is, and of a message of what kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FragmentFlags {
    /// The message starts here; the payload's first eight bytes are the whole message's length.
    pub(crate) first: bool,
    /// The message ends here.
    pub(crate) last: bool,
    /// The whole message's kind.
    pub(crate) kind: Kind,
}

impl FragmentFlags {
    const FIRST: u8 = 0b01;
    const LAST: u8 = 0b10;

    /// Bit 0: first; bit 1: last; bits 2 and 3: zero; bits 4 to 7: the kind.
    pub(crate) const fn to_u8(self) -> u8 {
        (self.first as u8 * Self::FIRST) | (self.last as u8 * Self::LAST) | ((self.kind as u8) << 4)
    }

    /// The flags in `byte`, unless they say what no fragment can be.
    #[inline]
    pub(crate) const fn from_u8(byte: u8) -> Option<Self> {
        match Kind::from_u8(byte >> 4) {
            Some(kind) if kind.may_be_cut() && byte & 0b1100 == 0 => {
                Some(Self { first: byte & Self::FIRST != 0, last: byte & Self::LAST != 0, kind })
            }
            _ => None,
        }
    }
}

/// A header with its checksum left out: what the sender chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Payload bytes.
    pub(crate) length: u32,
    /// What the frame is.
    pub(crate) kind: Kind,
    /// Zero except for fragments ([`FragmentFlags`]).
    pub(crate) flags: u8,
    /// Which call the frame belongs to; 0 for none.
    pub(crate) call_id: u32,
}

/// Whether the checksum is made and checked: agreed when the link is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// Every frame has one.
    On,
    /// The field is zero and not looked at.
    Off,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of kind {0}, which does not exist")]
    UnknownKind(u8),
    #[error("a frame with flags {flags:#04x}, which kind {kind:?} does not have")]
    Flags { kind: Kind, flags: u8 },
    #[error("a frame whose reserved field is {0:#06x} instead of zero")]
    Reserved(u16),
    #[error("a frame with checksum {found:#010x}, computed {computed:#010x}")]
    Checksum { found: u32, computed: u32 },
}

impl Header {
    /// The header's two words as they stand in memory, with `checksum` in its place. Made in
    /// registers: bytes that are stored one by one and loaded as words cost more than all the
    /// rest.
    #[inline]
    pub(crate) fn to_words(self, checksum: u32) -> [u64; 2] {
        let first = u64::from(self.length) | u64::from(checksum) << 32;
        let kind_and_flags = u64::from(self.kind as u8) | u64::from(self.flags) << 8;
        [first.to_le(), (kind_and_flags | u64::from(self.call_id) << 32).to_le()]
    }

    /// The header's bytes with `checksum` in its place.
    #[inline]
    pub(crate) fn to_bytes(self, checksum: u32) -> [u8; HEADER_LENGTH] {
        let [first, second] = self.to_words(checksum).map(u64::from_le);
        (u128::from(first) | u128::from(second) << 64).to_le_bytes()
    }

    /// Checks everything in a header that can be checked without the payload, and takes it apart
    /// into header and checksum.
    #[inline]
    pub(crate) fn parse(words: [u64; 2]) -> Result<(Self, u32), FrameError> {
        let [first, second] = words.map(u64::from_le);
        let (kind, flags) = (second as u8, (second >> 8) as u8);
        let kind = Kind::from_u8(kind).ok_or(FrameError::UnknownKind(kind))?;
        let flags_fit = match kind {
            Kind::Fragment => FragmentFlags::from_u8(flags).is_some(),
            _ => flags == 0,
        };
        if !flags_fit {
            return Err(FrameError::Flags { kind, flags });
        }
        let reserved = (second >> 16) as u16;
        if reserved != 0 {
            return Err(FrameError::Reserved(reserved));
        }
        let header = Self { length: first as u32, kind, flags, call_id: (second >> 32) as u32 };
        Ok((header, (first >> 32) as u32))
    }

    /// The two words of a header's bytes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn words_of(bytes: [u8; HEADER_LENGTH]) -> [u64; 2] {
        let both = u128::from_le_bytes(bytes);
        [(both as u64).to_le(), ((both >> 64) as u64).to_le()]
    }

    /// The checksum of this header and `payload` (empty for a pad).
    #[inline]
    pub(crate) fn checksum(self, payload: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        hasher.update(payload);
        hasher.finalize()
    }

    /// The beginning of the checksum: what goes in before the payload.
    #[inline]
    pub(crate) fn hasher(self) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.to_bytes(0));
        hasher
    }
}

/// The checksum of a frame that lies in one piece, with zero in the checksum's place.
#[inline]
pub(crate) fn checksum_of(frame: &[u8]) -> u32 {
    crc32fast::hash(frame)
}

/// Compares the checksum that came with a frame with the one computed.
#[inline]
pub(crate) fn verify(found: u32, computed: u32) -> Result<(), FrameError> {
    if found == computed { Ok(()) } else { Err(FrameError::Checksum { found, computed }) }
}

/// Bytes that a frame with `payload_length` bytes takes in a ring.
#[inline]
pub(crate) const fn frame_length(payload_length: u64) -> u64 {
    (HEADER_LENGTH as u64 + payload_length).next_multiple_of(FRAME_ALIGNMENT as u64)
}

/// What a frame says besides its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) call_id: u32,
}

impl Label {
    #[inline]
    pub(crate) const fn new(kind: Kind, call_id: u32) -> Self {
        Self { kind, flags: 0, call_id }
    }

    pub(super) const fn header(self, length: u32) -> Header {
        let Self { kind, flags, call_id } = self;
        Header { length, kind, flags, call_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: Header = Header { length: 5, kind: Kind::Notice, flags: 0, call_id: 0 };

    /// Frozen: whoever changes the layout of a header must change the layout's version too.
    #[test]
    fn the_header_of_a_notice_has_these_bytes() {
        let checksum = NOTE.checksum(b"hello");
        // Computed with zlib over the sixteen header bytes and the payload.
        assert_eq!(checksum, 0xe183_cab0, "{checksum:#010x}");
        let bytes = NOTE.to_bytes(checksum);
        assert_eq!(bytes, [5, 0, 0, 0, 0xb0, 0xca, 0x83, 0xe1, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Header::words_of(bytes), NOTE.to_words(checksum));
        let frame = [&NOTE.to_bytes(0)[..], b"hello"].concat();
        assert_eq!(checksum_of(&frame), checksum);
    }

    #[test]
    fn a_fragment_of_a_reply_has_these_bytes() {
        let flags = FragmentFlags { first: true, last: false, kind: Kind::Reply };
        let header =
            Header { length: 0x0001_0203, kind: Kind::Fragment, flags: flags.to_u8(), call_id: 77 };
        assert_eq!(
            header.to_bytes(0xAABB_CCDD),
            [3, 2, 1, 0, 0xDD, 0xCC, 0xBB, 0xAA, 5, 0x31, 0, 0, 77, 0, 0, 0]
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        for kind in
            [Kind::Notice, Kind::Request, Kind::Reply, Kind::Failure, Kind::Goodbye, Kind::Gap]
        {
            let header = Header { length: 9, kind, flags: 0, call_id: u32::MAX };
            assert_eq!(Header::parse(header.to_words(5)), Ok((header, 5)));
        }
    }

    #[test]
    fn zeroed_memory_is_no_frame() {
        assert_eq!(Header::parse([0; 2]), Err(FrameError::UnknownKind(0)));
    }

    #[test]
    fn every_single_bit_flip_is_noticed() {
        let payload = *b"sixteen bytes ok";
        let header = Header { length: 16, kind: Kind::Request, flags: 0, call_id: 3 };
        let bytes = header.to_bytes(header.checksum(&payload));
        for bit in 0..(16 + payload.len()) * 8 {
            let mut frame = [bytes, payload].concat();
            frame[bit / 8] ^= 1 << (bit % 8);
            let mut head = [0; 16];
            head.copy_from_slice(&frame[..16]);
            let noticed = match Header::parse(Header::words_of(head)) {
                Ok((header, found)) => verify(found, header.checksum(&frame[16..])).is_err(),
                Err(_) => true,
            };
            assert!(noticed, "bit {bit}");
        }
    }

    #[test]
    fn a_pad_or_a_fragment_cannot_be_cut_into_fragments() {
        for byte in [0x51, 0x61, 0x71, 0x01, 0x14, 0x18, 0xF1] {
            assert_eq!(FragmentFlags::from_u8(byte), None, "{byte:#04x}");
        }
        assert!(FragmentFlags::from_u8(0x13).is_some());
    }

    #[test]
    fn lengths_are_rounded_up_to_lines() {
        assert_eq!(frame_length(0), 64);
        assert_eq!(frame_length(48), 64);
        assert_eq!(frame_length(49), 128);
        assert_eq!(frame_length(u64::from(u32::MAX)), (1 << 32) + 64);
    }
}
