//! The writing end of a lane.

use super::frame::{
    self, Checksums, FRAME_ALIGNMENT, HEADER_LENGTH, Header, Kind, Label, frame_length,
};
use super::sink::{InPlace, RingSink};
use super::small::{SMALL_FRAME, SmallFrame};
use super::{Lane, Violation};
use crate::codec::Sink;
use crate::sync::{Fault, Ordering, broken, fence};

/// Bytes behind what is published in which places of headers are cleared in advance.
const CLEARED_AHEAD: u64 = 4 * FRAME_ALIGNMENT as u64;
/// Bytes beyond those for which a line is asked for. At ten million messages a second, and two to
/// four hundred nanoseconds to get a line from the other processor, two to four lines are too late.
const ASKED_AHEAD: u64 = 12 * FRAME_ALIGNMENT as u64;

/// The writing end of a lane: one for each lane in all processes.
pub(crate) struct Producer {
    lane: Lane,
    checksums: Checksums,
    /// Everything before it is published, and the header's place at it is cleared. Always a
    /// multiple of 64.
    tail: u64,
    /// At multiples of 64 from `tail` up to here no header is there. Never below `tail`, never as
    /// far as a lap ahead of `cached_head`.
    cleared: u64,
    /// The consumer's position as last read; can be stale, never ahead.
    cached_head: u64,
    /// The largest frame that this side makes: half the ring at most, or it might never fit behind
    /// a pad, and no more than a message of the link's maximum takes.
    largest_frame: u64,
    /// Payload bytes of the last frame that was no small one: the next is likely to have as many.
    likely: usize,
}

/// Why no frame was written. The lane is as it was.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Not enough contiguous room just now, or more than any frame takes.
    NoRoom,
    /// The consumer's position is impossible.
    Violation(Violation),
}

impl Producer {
    /// # Safety
    /// The lane has no other producer in this process.
    #[inline]
    pub(crate) unsafe fn new(lane: Lane, checksums: Checksums, max_message: usize) -> Self {
        let largest_frame = (HEADER_LENGTH + max_message.min(lane.largest_payload())) as u64;
        Self { lane, checksums, tail: 0, cleared: 0, cached_head: 0, largest_frame, likely: 0 }
    }

    /// The largest payload that this side puts into one frame, in bytes.
    pub(crate) fn largest_payload(&self) -> usize {
        self.largest_frame as usize - HEADER_LENGTH
    }

    /// The lane's geometry and control words.
    pub(crate) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Everything before this position is published.
    pub(crate) fn position(&self) -> u64 {
        self.tail
    }

    /// Publishes a frame that was made in private memory. Gives the position of its end.
    #[inline]
    pub(crate) fn write_small(
        &mut self,
        label: Label,
        small: &mut SmallFrame,
    ) -> Result<u64, Refused> {
        let length = small.payload().len();
        if (HEADER_LENGTH + length) as u64 > self.largest_frame {
            return Err(Refused::NoRoom);
        }
        let start = self.find_room(length)?;
        let header = label.header(length as u32);
        let checksum = match self.checksums {
            Checksums::On => frame::checksum_of(small.whole(header.to_bytes(0))),
            Checksums::Off => 0,
        };
        crate::step::reach("reserve");
        let room = frame_length(length as u64);
        let mut sink = RingSink::new(&self.lane, start, room);
        // `find_room` found room for it.
        let fits = sink.put(small.payload());
        debug_assert!(fits);
        Ok(self.publish(start, header, checksum))
    }

    /// Finds a place for a frame whose payload has `least` bytes or more, for who makes it there
    /// piece by piece. `None`: there is none just now, or the frame would be too large.
    pub(crate) fn begin(&mut self, least: usize) -> Result<Option<InPlace>, Refused> {
        let least = (HEADER_LENGTH + least) as u64;
        if least > self.largest_frame {
            return Ok(None);
        }
        // What is made in the ring stays where it began: the place is for the likely length, before
        // the end or after it.
        let likely = ((HEADER_LENGTH + self.likely) as u64).clamp(least, self.largest_frame);
        if self.room_before_end() < likely && self.room_after_end() < likely {
            self.refresh()?;
        }
        let (before, after) = (self.room_before_end(), self.room_after_end());
        let (start, room) = match before >= likely || before >= after {
            true => (self.tail, before),
            false => (self.tail + self.lane.to_end(self.tail), after),
        };
        if room < least {
            return Ok(None);
        }
        // Bytes are left behind `tail` if nothing comes of the frame.
        self.cleared = self.tail;
        crate::step::reach("reserve");
        let room = room.min(self.largest_frame);
        let sink = RingSink::new(&self.lane, start, room).hashing(self.checksums);
        Ok(Some(InPlace { start, sink }))
    }

    /// Looks for `more` bytes behind what stands there already. `false`: there is no room for them.
    pub(crate) fn extend(&mut self, frame: &mut InPlace, more: usize) -> Result<bool, Refused> {
        let needed = (HEADER_LENGTH + frame.sink.written() + more) as u64;
        if needed > self.largest_frame {
            return Ok(false);
        }
        self.refresh()?;
        let room = match frame.start == self.tail {
            true => self.room_before_end(),
            false => self.room_after_end(),
        };
        if room < needed {
            return Ok(false);
        }
        frame.sink.widen(room.min(self.largest_frame));
        Ok(true)
    }

    /// Publishes a frame that was made in the ring. Gives the position of its end.
    pub(crate) fn finish(&mut self, frame: InPlace, label: Label) -> u64 {
        self.likely = frame.sink.written();
        let (header, checksum) = frame.sink.finish(label, self.checksums);
        self.publish(frame.start, header, checksum)
    }

    /// Copies `payload` (given in two parts) into the ring and publishes it as one frame. Gives the
    /// position of the frame's end.
    pub(crate) fn write(&mut self, label: Label, parts: [&[u8]; 2]) -> Result<u64, Refused> {
        let length = parts[0].len() + parts[1].len();
        if length > SMALL_FRAME {
            self.likely = length;
        }
        let start = self.find_room(length)?;
        crate::step::reach("reserve");
        let room = frame_length(length as u64);
        let mut sink = RingSink::new(&self.lane, start, room);
        // `find_room` found room for both.
        let fits = sink.put(parts[0]) && sink.put(parts[1]);
        debug_assert!(fits);
        let header = label.header(length as u32);
        let checksum = match self.checksums {
            Checksums::On => {
                let mut hasher = header.hasher();
                parts.iter().for_each(|part| hasher.update(part));
                hasher.finalize()
            }
            Checksums::Off => 0,
        };
        Ok(self.publish(start, header, checksum))
    }

    /// Where a frame with `length` payload bytes can start: at the position, or behind the ring's
    /// end.
    #[inline]
    fn find_room(&mut self, length: usize) -> Result<u64, Refused> {
        let needed = frame_length(length as u64);
        if self.room_before_end() < needed && self.room_after_end() < needed {
            self.refresh()?;
        }
        if self.room_before_end() >= needed {
            Ok(self.tail)
        } else if self.room_after_end() >= needed {
            Ok(self.tail + self.lane.to_end(self.tail))
        } else {
            Err(Refused::NoRoom)
        }
    }

    /// Payload bytes that would fit into one frame just now, before or after the end.
    pub(crate) fn room_for_payload(&mut self) -> Result<usize, Refused> {
        self.refresh()?;
        let room = self.room_before_end().max(self.room_after_end());
        Ok((room as usize).saturating_sub(HEADER_LENGTH))
    }

    /// Counts one more thread (or queue) that waits for room, so that the consumer rings. Look at
    /// [`has_news`] once more after this, before sleeping.
    pub(crate) fn announce_wait(lane: &Lane) {
        lane.control().producer_waits.fetch_add(1, Ordering::Release);
        // SYNC(producer-waits): orders the count before the look at `head` that follows.
        fence(Ordering::SeqCst);
    }

    /// Takes one [`announce_wait`](Self::announce_wait) back.
    pub(crate) fn withdraw_wait(lane: &Lane) {
        lane.control().producer_waits.fetch_sub(1, Ordering::Relaxed);
    }

    /// The consumer's position as this side last saw it.
    pub(crate) fn seen_head(&self) -> u64 {
        self.cached_head
    }

    /// Puts the header before the payload that stands at `start`, and a pad before that where
    /// `start` is past the ring's end; one store makes all of it appear.
    #[inline]
    fn publish(&mut self, start: u64, header: Header, checksum: u32) -> u64 {
        let end = start + frame_length(u64::from(header.length));
        if end > self.cleared && !broken(Fault::PlaceNotCleared) {
            self.clear(end);
        }
        let [mut first, mut second] = header.to_words(checksum);
        if start != self.tail && !broken(Fault::PadFirst) {
            self.lane.length_word(start).store(first, Ordering::Relaxed);
            self.lane.presence_word(start).store(second, Ordering::Relaxed);
            let length = (start - self.tail) as u32 - HEADER_LENGTH as u32;
            let pad = Label::new(Kind::Pad, 0).header(length);
            let checksum = match self.checksums {
                Checksums::On => pad.checksum(&[]),
                Checksums::Off => 0,
            };
            [first, second] = pad.to_words(checksum);
        }
        #[cfg(loom)]
        if start != self.tail && broken(Fault::PadFirst) {
            self.publish_pad_first(start);
        }
        self.lane.length_word(self.tail).store(first, Ordering::Relaxed);
        crate::step::reach("publish.before");
        let order =
            if broken(Fault::PublishRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        // SYNC(present): payload, headers and the zero behind them come before it.
        self.lane.presence_word(self.tail).store(second, order);
        crate::step::reach("publish.after");
        self.tail = end;
        end
    }

    #[cfg(loom)]
    fn publish_pad_first(&mut self, start: u64) {
        let pad =
            Label::new(Kind::Pad, 0).header((start - self.tail) as u32 - HEADER_LENGTH as u32);
        let [first, second] = pad.to_words(pad.checksum(&[]));
        self.clear(start);
        self.lane.length_word(self.tail).store(first, Ordering::Relaxed);
        self.lane.presence_word(self.tail).store(second, Ordering::Release);
        self.tail = start;
    }

    /// Makes `end` a place where no header is: the next one's, which the consumer looks at as soon
    /// as it has taken the frame before. It is free: `free` keeps a line back.
    #[inline]
    fn clear(&mut self, end: u64) {
        self.lane.presence_word(end).store(0, Ordering::Relaxed);
        self.cleared = end;
    }

    /// Clears places of headers in advance, as far as there is room. To be called after publishing,
    /// when nobody waits for this side any more: the consumer has those lines from the last lap,
    /// and getting them back would keep a frame that is small enough from appearing at once.
    #[inline]
    pub(crate) fn clear_ahead(&mut self) {
        let room = self.cached_head + self.lane.capacity() - FRAME_ALIGNMENT as u64;
        let room = if broken(Fault::ClearedTooFar) { u64::MAX } else { room };
        let most = (self.tail + CLEARED_AHEAD).min(room);
        while self.cleared < most {
            self.clear(self.cleared + FRAME_ALIGNMENT as u64);
        }
        // In time for the clearing: whoever next waits for its stores would wait for this one.
        let asked = self.cleared + ASKED_AHEAD;
        if asked <= room {
            self.lane.prefetch_for_writing(asked);
        }
    }

    /// Reads the consumer's position. Tells whether there is more room than before.
    fn refresh(&mut self) -> Result<bool, Refused> {
        // SYNC(head): the consumer has copied out everything before it.
        let head = self.lane.control().head.load(Ordering::Acquire);
        if head == self.cached_head {
            return Ok(false);
        }
        let most = self.tail;
        if head < self.cached_head || head > most || head % FRAME_ALIGNMENT as u64 != 0 {
            return Err(Refused::Violation(Violation::Position {
                found: head,
                least: self.cached_head,
                most,
            }));
        }
        self.cached_head = head;
        Ok(true)
    }

    /// Bytes that frames may take: a line stays back for the place of the header behind them.
    fn free(&self) -> u64 {
        let back = if broken(Fault::NoLineBack) { 0 } else { FRAME_ALIGNMENT as u64 };
        let used = self.tail - self.cached_head + back;
        self.lane.capacity().saturating_sub(used)
    }

    #[inline]
    fn room_before_end(&self) -> u64 {
        self.free().min(self.lane.to_end(self.tail))
    }

    #[inline]
    fn room_after_end(&self) -> u64 {
        self.free() - self.room_before_end()
    }

    /// Starts at a position other than 0, for tests of the wrap.
    #[cfg(test)]
    pub(crate) fn force_position(&mut self, position: u64) {
        self.tail = position;
        self.cached_head = position;
        self.cleared = position;
    }
}

/// Has the consumer moved on from `seen_head`? For who waits for room without the producer's lock.
pub(crate) fn has_news(lane: &Lane, seen_head: u64) -> bool {
    lane.control().head.load(Ordering::Relaxed) != seen_head
}

/// Does the consumer sleep, or is it about to? Ask after every publishing, and ring if so.
#[inline]
pub(crate) fn consumer_waits(lane: &Lane) -> bool {
    // SYNC(consumer-waits): orders the header's store in `publish` before this load.
    if !broken(Fault::LookedUnfenced) {
        fence(Ordering::SeqCst);
    }
    lane.control().consumer_waits.load(Ordering::Relaxed) != 0
}

/// Has the consumer taken everything before `position`? What it claims beyond what was written
/// counts as taken: the careful answer to a lie.
pub(crate) fn was_taken(lane: &Lane, position: u64) -> bool {
    // SYNC(head): the consumer publishes before it dispatches.
    lane.control().head.load(Ordering::Acquire) >= position
}
