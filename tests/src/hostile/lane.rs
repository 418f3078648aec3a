//! Frames of any content, into a lane and out of one, as the layout has them.

use std::time::{Duration, Instant};

use super::layout::{self, ALIGNMENT, CHECKSUM, HEADER, Lane, kind};
use super::raw::Raw;

/// A frame, of which every field may lie.
#[derive(Debug, Clone)]
pub struct Frame {
    pub length: u32,
    pub kind: u8,
    pub flags: u8,
    pub reserved: u16,
    pub call_id: u32,
    pub payload: Vec<u8>,
    /// Exclusive-or with the right checksum: 0 mends it.
    pub damage: u32,
}

impl Frame {
    /// An honest frame.
    #[must_use]
    pub fn new(kind: u8, call_id: u32, payload: Vec<u8>) -> Self {
        let length = payload.len() as u32;
        Self { length, kind, flags: 0, reserved: 0, call_id, payload, damage: 0 }
    }

    /// A part of a message; the first one starts with the message's length.
    #[must_use]
    pub fn fragment(of: u8, part: u8, call_id: u32, payload: Vec<u8>) -> Self {
        let mut frame = Self::new(kind::FRAGMENT, call_id, payload);
        frame.flags = part | (of << 4);
        frame
    }

    /// The header's bytes with the checksum in its place.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[8] = self.kind;
        bytes[9] = self.flags;
        bytes[10..12].copy_from_slice(&self.reserved.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.call_id.to_le_bytes());
        let covered: &[u8] = if self.kind == kind::PAD { &[] } else { &self.payload };
        let sum = layout::checksum(&bytes, covered) ^ self.damage;
        bytes[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Bytes that it takes in the ring, going by what is really there.
    #[must_use]
    pub fn taken(&self) -> usize {
        (HEADER + self.payload.len()).next_multiple_of(ALIGNMENT)
    }
}

/// The writing end of a lane.
#[derive(Debug)]
pub struct Writer<'a> {
    raw: &'a Raw,
    lane: Lane,
    start: usize,
    capacity: usize,
    /// Everything before it is written.
    pub position: u64,
}

impl<'a> Writer<'a> {
    /// The writing end of a lane that nobody wrote to yet.
    #[must_use]
    pub fn new(raw: &'a Raw, lane: Lane, rings: (usize, usize)) -> Self {
        let (start, capacity) = lane.ring(rings.0, rings.1);
        Self { raw, lane, start, capacity, position: 0 }
    }

    /// Bytes in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn free(&self) -> usize {
        let head = self.raw.get64(self.lane.control() + layout::lane::HEAD);
        let used = self.position.saturating_sub(head) as usize;
        // The place of the next header is kept back.
        self.capacity.saturating_sub(used + ALIGNMENT)
    }

    /// Writes a frame and publishes it. `false`: no room came within `patience`, or it never fits.
    pub fn put(&mut self, frame: &Frame, patience: Duration) -> bool {
        let before_end = self.capacity - (self.position as usize & (self.capacity - 1));
        let pad = if frame.taken() > before_end { before_end } else { 0 };
        let started = Instant::now();
        while self.free() < frame.taken() + pad {
            if started.elapsed() > patience || frame.taken() + pad > self.capacity {
                return false;
            }
            std::thread::yield_now();
        }
        let start = self.position + pad as u64;
        let end = start + frame.taken() as u64;
        self.raw.write(self.place(start) + HEADER, &frame.payload);
        // The consumer looks there as soon as it has taken this frame.
        self.raw.set64(self.place(end) + layout::PRESENCE, 0);
        self.put_header(start, &frame.header());
        if pad > 0 {
            let mut filler = Frame::new(kind::PAD, 0, Vec::new());
            filler.length = (pad - HEADER) as u32;
            self.put_header(self.position, &filler.header());
        }
        self.position = end;
        true
    }

    fn place(&self, position: u64) -> usize {
        self.start + (position as usize & (self.capacity - 1))
    }

    /// The word that publishes comes last.
    fn put_header(&self, position: u64, header: &[u8; HEADER]) {
        let place = self.place(position);
        self.raw.write(place, &header[..layout::PRESENCE]);
        let mut word = [0; 8];
        word.copy_from_slice(&header[layout::PRESENCE..]);
        self.raw.set64(place + layout::PRESENCE, u64::from_ne_bytes(word));
    }

    /// Fills the ring with this frame, which divides it evenly, so that behind each the next one
    /// stands and the consumer never comes to an end.
    pub fn fill(&mut self, frame: &Frame) {
        let laps = (self.capacity / frame.taken()) as u64;
        for number in (0..laps).rev() {
            let start = number * frame.taken() as u64;
            self.raw.write(self.place(start) + HEADER, &frame.payload);
            self.put_header(start, &frame.header());
        }
    }
}

/// The reading end of a lane. It believes what it reads: whoever writes there is the honest side.
#[derive(Debug)]
pub struct Reader<'a> {
    raw: &'a Raw,
    lane: Lane,
    start: usize,
    capacity: usize,
    position: u64,
}

impl<'a> Reader<'a> {
    /// The reading end of a lane that nobody read from yet.
    #[must_use]
    pub fn new(raw: &'a Raw, lane: Lane, rings: (usize, usize)) -> Self {
        let (start, capacity) = lane.ring(rings.0, rings.1);
        Self { raw, lane, start, capacity, position: 0 }
    }

    fn is_present(&self) -> bool {
        let place = self.start + (self.position as usize & (self.capacity - 1));
        self.raw.get64(place + layout::PRESENCE) != 0
    }

    /// The next frame but pads: kind, call id, payload. `None`: nothing there.
    pub fn take(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            if !self.is_present() {
                return None;
            }
            let place = self.start + (self.position as usize & (self.capacity - 1));
            let header = self.raw.read(place, HEADER);
            let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
            let length = word(0) as usize;
            let taken = (HEADER + length).next_multiple_of(ALIGNMENT);
            let payload = match header[8] {
                kind::PAD => Vec::new(),
                _ => self.raw.read(place + HEADER, length.min(self.capacity - HEADER)),
            };
            self.position += taken as u64;
            self.raw.set64(self.lane.control() + layout::lane::HEAD, self.position);
            if header[8] != kind::PAD {
                return Some((header[8], word(12), payload));
            }
        }
    }
}
