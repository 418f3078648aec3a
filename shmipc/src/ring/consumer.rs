//! The reading end of a lane. It believes nothing: each shared word is read once, checked, and what
//! was checked is what is used.

use std::ptr;

use super::{Lane, Violation};
use crate::frame::{Checksums, HEADER_LENGTH, Header, Kind, frame_length};
use crate::sync::{Ordering, fence};

/// The reading end of a lane: one for each lane in all processes.
pub(crate) struct Consumer {
    lane: Lane,
    checksums: Checksums,
    /// Everything before it was copied out. The shared `head` follows it in `publish`.
    head: u64,
    /// What the shared `head` holds.
    published: u64,
    /// The producer's position as last read and checked; can be stale, never ahead.
    cached_tail: u64,
}

/// A header that was read once and checked against the bounds, so that the payload can be copied.
/// Only made by [`Consumer::peek`].
#[derive(Debug)]
pub(crate) struct Peeked {
    pub(crate) header: Header,
    checksum: u32,
    position: u64,
}

impl Consumer {
    /// # Safety
    /// The lane has no other consumer in this process.
    pub(crate) unsafe fn new(lane: Lane, checksums: Checksums) -> Self {
        Self { lane, checksums, head: 0, published: 0, cached_tail: 0 }
    }

    /// The next frame's header, its bounds checked. `None`: nothing is there. What follows must be
    /// [`take`](Self::take) with this header.
    ///
    /// # Errors
    /// The producer wrote what no correct one writes. The lane cannot be used after that.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<Peeked>, Violation> {
        if self.head == self.cached_tail && !self.refresh()? {
            return Ok(None);
        }
        let peeked = self.read_header()?;
        if peeked.header.kind != Kind::Pad {
            return Ok(Some(peeked));
        }
        self.skip_pad(peeked)?;
        // A producer publishes a pad together with the frame behind it.
        if self.head == self.cached_tail {
            return Err(Violation::Sequence("a pad without a frame behind it"));
        }
        let peeked = self.read_header()?;
        if peeked.header.kind == Kind::Pad {
            return Err(Violation::Sequence("a pad behind a pad"));
        }
        Ok(Some(peeked))
    }

    /// Takes the frame that was peeked at: copies its payload to the end of `buffer` and checks it.
    /// The room is the producer's again after [`publish`](Self::publish).
    ///
    /// # Errors
    /// The payload is not what its header says.
    #[inline]
    pub(crate) fn take(&mut self, peeked: Peeked, buffer: &mut Vec<u8>) -> Result<(), Violation> {
        debug_assert_eq!(peeked.position, self.head);
        self.copy_payload(&peeked, buffer)?;
        crate::step::reach("take.copied");
        self.head += frame_length(u64::from(peeked.header.length));
        Ok(())
    }

    /// Is there a frame to take? Looks at the shared position only if it must.
    #[inline]
    pub(crate) fn has_data(&mut self) -> Result<bool, Violation> {
        Ok(self.head != self.cached_tail || self.refresh()?)
    }

    /// Everything before it was taken.
    pub(crate) fn position(&self) -> u64 {
        self.head
    }

    /// Where the lane's frames end just now, as far as the producer's word is possible.
    pub(crate) fn known_end(&mut self) -> u64 {
        // Damage is found by the next look.
        drop(self.refresh());
        self.cached_tail
    }

    /// Gives the room of all taken frames back. To be called before a message is dispatched: the
    /// sender of a request reads from it whether the request may have run.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.published != self.head {
            self.published = self.head;
            // SYNC(head): the copies made out of the ring come before it.
            self.lane.control().head.store(self.head, Ordering::Release);
            crate::step::reach("take.published");
        }
    }

    /// The same once an eighth of the ring has been taken, so that the producer's look at the position
    /// finds much at a time.
    #[inline]
    pub(crate) fn publish_in_batches(&mut self) {
        if self.head - self.published >= self.lane.capacity() / 8 {
            self.publish();
        }
    }

    /// Does a producer's thread wait for room? Ask after publishing, before going idle.
    #[inline]
    pub(crate) fn producer_waits(&self) -> bool {
        // SYNC(producer-waits): orders the `head` store in `publish` before this load.
        fence(Ordering::SeqCst);
        self.producer_waits_hint()
    }

    /// The same without the fence: may miss a producer that is just about to wait.
    #[inline]
    pub(crate) fn producer_waits_hint(&self) -> bool {
        self.lane.control().producer_waits.load(Ordering::Acquire) != 0
    }

    /// Says that this side is about to sleep, so that the producer rings. Look at the lane once
    /// more after this, before sleeping.
    pub(crate) fn announce_wait(&self) {
        self.lane.control().consumer_waits.store(1, Ordering::Relaxed);
        // SYNC(consumer-waits): orders the store before the look at `tail` that follows.
        fence(Ordering::SeqCst);
    }

    /// Takes [`announce_wait`](Self::announce_wait) back.
    pub(crate) fn withdraw_wait(&self) {
        self.lane.control().consumer_waits.store(0, Ordering::Relaxed);
    }

    /// Reads the producer's position. Tells whether there is something to take.
    #[inline]
    fn refresh(&mut self) -> Result<bool, Violation> {
        // SYNC(tail): the frames before it were written before it.
        let tail = self.lane.control().tail.load(Ordering::Acquire);
        if tail == self.cached_tail {
            return Ok(self.head != tail);
        }
        let (least, most) = (self.cached_tail, self.published + self.lane.capacity());
        if tail < least || tail > most || tail % 16 != 0 {
            return Err(Violation::Position { found: tail, least, most });
        }
        self.cached_tail = tail;
        Ok(true)
    }

    #[inline]
    fn read_header(&self) -> Result<Peeked, Violation> {
        let mut bytes = [0; HEADER_LENGTH];
        // SAFETY: `head < cached_tail` (callers), both multiples of 16, and so is the capacity: 16
        // bytes from `head` on lie inside the data. The producer's process may change them
        // meanwhile; the copy is what counts from here on.
        unsafe {
            ptr::copy_nonoverlapping(
                self.lane.address(self.head).as_ptr(),
                bytes.as_mut_ptr(),
                HEADER_LENGTH,
            );
        }
        let (header, checksum) = Header::parse(bytes)
            .map_err(|error| Violation::Frame { position: self.head, error })?;
        let length = frame_length(u64::from(header.length));
        let available = (self.cached_tail - self.head).min(self.lane.to_end(self.head));
        if length > available {
            return Err(Violation::Length { length, position: self.head, available });
        }
        Ok(Peeked { header, checksum, position: self.head })
    }

    fn skip_pad(&mut self, pad: Peeked) -> Result<(), Violation> {
        self.verify(&pad, &[])?;
        let length = frame_length(u64::from(pad.header.length));
        if length != self.lane.to_end(self.head) {
            return Err(Violation::Sequence("a pad that does not reach the ring's end"));
        }
        self.head += length;
        Ok(())
    }

    #[inline]
    fn copy_payload(&self, peeked: &Peeked, buffer: &mut Vec<u8>) -> Result<(), Violation> {
        let length = peeked.header.length as usize;
        let start = buffer.len();
        buffer.reserve(length);
        let source = self.lane.payload_address(peeked.position).as_ptr();
        let target = buffer.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: `read_header` checked that header and payload lie inside the data, so source and
        // its `length` bytes do (`peeked` is private and unchanged since); `reserve` made room for
        // them at `target`. The two do not overlap: one is shared, the other private. The producer's
        // process may write meanwhile: the copy may then be torn, which the checksum finds, and is
        // used only after that.
        unsafe { ptr::copy_nonoverlapping(source, target, length) };
        // SAFETY: the bytes up to here are initialised: `start` before, `length` just now.
        unsafe { buffer.set_len(start + length) };
        self.verify(peeked, &buffer[start..])
    }

    #[inline]
    fn verify(&self, peeked: &Peeked, payload: &[u8]) -> Result<(), Violation> {
        match self.checksums {
            Checksums::On => peeked
                .header
                .verify(peeked.checksum, payload)
                .map_err(|error| Violation::Frame { position: self.head, error }),
            Checksums::Off => Ok(()),
        }
    }

    /// Starts at a position other than 0, for tests of the wrap.
    #[cfg(test)]
    pub(crate) fn force_position(&mut self, position: u64) {
        self.head = position;
        self.published = position;
        self.cached_tail = position;
        self.lane.control().head.store(position, Ordering::Release);
    }
}
