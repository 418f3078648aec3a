//! The reading end of a lane. It believes nothing: each shared word is read once, checked, and what
//! was checked is what is used.

use super::{Assembly, FrameBuffer, Lane, Violation};
use crate::ring::foreign::LINE;
use crate::ring::frame::{self, Checksums, HEADER_LENGTH, Header, Kind, frame_length};
use crate::sync::{Fault, Ordering, broken, fence};

/// The reading end of a lane: one for each lane in all processes.
pub(crate) struct Consumer {
    lane: Lane,
    checksums: Checksums,
    /// Everything before it was copied out. The shared `head` follows it in `publish`.
    head: u64,
    /// What the shared `head` holds.
    published: u64,
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
        Self { lane, checksums, head: 0, published: 0 }
    }

    /// The next frame's header, its bounds checked. `None`: nothing is there. What follows must be
    /// [`take`](Self::take) with this header.
    ///
    /// # Errors
    /// The producer wrote what no correct one writes. The lane cannot be used after that.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<Peeked>, Violation> {
        let Some(peeked) = self.read_header()? else {
            return Ok(None);
        };
        if peeked.header.kind != Kind::Pad {
            return Ok(Some(peeked));
        }
        self.skip_pad(&peeked)?;
        // A producer publishes a pad together with the frame behind it.
        match self.read_header()? {
            None => Err(Violation::Sequence("a pad without a frame behind it")),
            Some(peeked) if peeked.header.kind == Kind::Pad => {
                Err(Violation::Sequence("a pad behind a pad"))
            }
            peeked => Ok(peeked),
        }
    }

    /// Takes the frame that was peeked at: copies it to `buffer` and checks it. The room is the
    /// producer's again after [`publish`](Self::publish).
    ///
    /// # Errors
    /// The payload is not what its header says.
    #[inline]
    pub(crate) fn take(
        &mut self,
        peeked: Peeked,
        buffer: &mut FrameBuffer,
    ) -> Result<(), Violation> {
        let length = peeked.header.length as usize;
        if broken(Fault::RoomTooEarly) {
            let end = self.head + frame_length(length as u64);
            self.lane.control().head.store(end, Ordering::Release);
        }
        let lines = buffer.prepare(length, self.lane.address(peeked.position));
        let computed = match self.checksums {
            Checksums::Off => {
                self.copy_lines(&peeked, lines);
                peeked.checksum
            }
            Checksums::On => {
                self.copy_lines(&peeked, lines);
                // What was checked counts, not what the copy found in its place.
                lines[..HEADER_LENGTH].copy_from_slice(&peeked.header.to_bytes(0));
                frame::checksum_of(&lines[..HEADER_LENGTH + length])
            }
        };
        self.verify(&peeked, computed)?;
        crate::step::reach("take.copied");
        self.head += frame_length(length as u64);
        Ok(())
    }

    /// The same, but appends the payload alone to `assembly`.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub(crate) fn take_after(
        &mut self,
        peeked: Peeked,
        assembly: &mut Assembly,
    ) -> Result<(), Violation> {
        let length = peeked.header.length as usize;
        let source = self.lane.payload_address(peeked.position);
        // SAFETY: `read_header` checked that all lines of the frame lie inside the data; `append`
        // made room at `target`.
        let copy = |target| unsafe { source.read(target, length) };
        // SAFETY: all `length` bytes are copied.
        let payload = unsafe { assembly.append(length, copy) };
        if self.checksums == Checksums::On {
            self.verify(&peeked, peeked.header.checksum(payload))?;
        }
        crate::step::reach("take.copied");
        self.head += frame_length(length as u64);
        Ok(())
    }

    /// Is there a frame to take?
    #[inline]
    pub(crate) fn has_data(&self) -> bool {
        // SYNC(present): what the frame holds was written before.
        self.lane.presence_word(self.head).load(Ordering::Acquire) != 0
    }

    /// Everything before it was taken.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.head
    }

    /// Bytes in the ring.
    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.lane.capacity()
    }

    /// A position that frames which are there now cannot reach beyond.
    pub(crate) fn farthest_end(&self) -> u64 {
        self.head + self.lane.capacity()
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

    /// The same once an eighth of the ring has been taken, so that the producer's look at the
    /// position finds much at a time.
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
        if !broken(Fault::RoomUnfenced) {
            fence(Ordering::SeqCst);
        }
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
        // SYNC(consumer-waits): orders the store before the look for a frame that follows.
        if !broken(Fault::AnnouncedUnfenced) {
            fence(Ordering::SeqCst);
        }
    }

    /// Takes [`announce_wait`](Self::announce_wait) back.
    pub(crate) fn withdraw_wait(&self) {
        self.lane.control().consumer_waits.store(0, Ordering::Relaxed);
    }

    /// The header at this side's position, if one is there.
    #[inline]
    fn read_header(&self) -> Result<Option<Peeked>, Violation> {
        let position = self.head;
        // SYNC(present): header and payload were written before, and so was the zero behind them.
        let second = self.lane.presence_word(position).load(Ordering::Acquire);
        if second == 0 {
            return Ok(None);
        }
        let first = self.lane.length_word(position).load(Ordering::Relaxed);
        // From here on only these copies count, whatever the producer does to the originals.
        let (header, checksum) =
            Header::parse([first, second]).map_err(|error| Violation::Frame { position, error })?;
        let length = frame_length(u64::from(header.length));
        let available = self.lane.to_end(position);
        if length > available {
            return Err(Violation::Length { length, position, available });
        }
        Ok(Some(Peeked { header, checksum, position }))
    }

    fn skip_pad(&mut self, pad: &Peeked) -> Result<(), Violation> {
        if self.checksums == Checksums::On {
            self.verify(pad, pad.header.checksum(&[]))?;
        }
        let length = frame_length(u64::from(pad.header.length));
        if length != self.lane.to_end(self.head) {
            return Err(Violation::Sequence("a pad that does not reach the ring's end"));
        }
        self.head += length;
        Ok(())
    }

    /// Copies all lines of the frame to `target`, which is as long as they are: header, payload and
    /// what stands behind it.
    #[inline]
    fn copy_lines(&self, peeked: &Peeked, target: &mut [u8]) {
        let length = frame_length(u64::from(peeked.header.length)) as usize;
        debug_assert_eq!(target.len(), length);
        let source = self.lane.address(peeked.position);
        if length == LINE {
            // SAFETY: as below; a frame starts at a multiple of 64.
            unsafe { source.read_line(target.as_mut_ptr()) };
            return;
        }
        // SAFETY: `read_header` checked that all lines of the frame lie inside the data (`peeked`
        // is private and unchanged since); `take` made `target` as long as they are, and
        // private, so the two do not overlap. The producer's process may write meanwhile:
        // the copy may then be torn, which the checksum finds, where there is one; either
        // way they are private bytes from here on.
        unsafe { source.read(target.as_mut_ptr(), target.len()) };
    }

    #[inline]
    fn verify(&self, peeked: &Peeked, computed: u32) -> Result<(), Violation> {
        frame::verify(peeked.checksum, computed)
            .map_err(|error| Violation::Frame { position: self.head, error })
    }

    /// Starts at a position other than 0, for tests of the wrap.
    #[cfg(test)]
    pub(crate) fn force_position(&mut self, position: u64) {
        self.head = position;
        self.published = position;
        self.lane.control().head.store(position, Ordering::Release);
    }
}
