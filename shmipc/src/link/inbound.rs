//! Frames to messages: one lane's reading end, which puts fragments together.

use crate::ring::frame::{FragmentFlags, Kind};
use crate::ring::{Assembly, Consumer, FrameBuffer, Violation};

/// Buffers above this are given back after the message that needed them.
const KEPT_BUFFER: usize = 4 << 20;
/// Fragments taken at a time.
const FRAGMENTS: usize = 64;
/// Bytes after which whoever takes from a lane has its eyes on something else again: with large
/// rings a number of messages alone would be no bound.
pub(crate) const LOOK_BYTES: u64 = 1 << 20;
/// A first fragment starts with the whole message's length in so many bytes.
pub(crate) const LENGTH_PREFIX: usize = Assembly::PREFIX;

/// What came, besides its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) kind: Kind,
    pub(crate) call_id: u32,
}

/// The reading end of a lane.
pub(crate) struct Inbound {
    consumer: Consumer,
    /// Largest message in bytes.
    maximum: usize,
    /// The last whole frame's payload.
    frame: FrameBuffer,
    /// The fragments that came so far, length prefix included.
    assembly: Assembly,
    partial: Option<Partial>,
    /// Which of the two buffers holds the last message.
    assembled: bool,
}

/// A message of which not all fragments came yet.
#[derive(Debug, Clone, Copy)]
struct Partial {
    message: Received,
    /// Bytes it will have, prefix included.
    total: usize,
}

impl Inbound {
    pub(crate) fn new(consumer: Consumer, maximum: usize) -> Self {
        Self {
            consumer,
            maximum,
            frame: FrameBuffer::default(),
            assembly: Assembly::default(),
            partial: None,
            assembled: false,
        }
    }

    /// The lane's consumer, for positions and waiting.
    #[inline]
    pub(crate) fn consumer(&mut self) -> &mut Consumer {
        &mut self.consumer
    }

    /// Takes frames until a message is whole; its bytes are in [`payload`](Self::payload) until the
    /// next call. `None`: not yet, or not within this look.
    ///
    /// A sender that gives a large message up halfway simply starts another: what came of it is
    /// dropped, and nobody sees it.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Received>, Violation> {
        // A message of endless fragments must not keep this side from anything else.
        let begun = self.consumer.position();
        for _ in 0..FRAGMENTS {
            let Some(peeked) = self.consumer.peek()? else {
                return Ok(None);
            };
            let header = peeked.header;
            if header.kind != Kind::Fragment {
                self.check_length(u64::from(header.length))?;
                self.forget_partial();
                self.consumer.take(peeked, &mut self.frame)?;
                return Ok(Some(Received { kind: header.kind, call_id: header.call_id }));
            }
            let before = self.assembly.as_slice().len();
            let flags = FragmentFlags::from_u8(header.flags)
                .ok_or(Violation::Sequence("a fragment with impossible flags"))?;
            let message = Received { kind: flags.kind, call_id: header.call_id };
            if flags.first {
                self.forget_partial();
                // Before it is copied out; what it claims is checked after that.
                let length = u64::from(header.length);
                self.check_length(length.saturating_sub(LENGTH_PREFIX as u64))?;
            } else {
                self.check_continues(message, before, header.length as usize)?;
            }
            self.consumer.take_after(peeked, &mut self.assembly)?;
            if flags.first {
                self.begin(message)?;
            }
            // The room of each fragment is given back at once, or the rest would not fit.
            self.consumer.publish();
            if flags.last {
                return self.finish().map(Some);
            }
            if self.consumer.producer_waits_hint() || self.consumer.position() - begun >= LOOK_BYTES
            {
                break;
            }
        }
        Ok(None)
    }

    /// Gives the room of what was taken back: of a large message before it is handled, as its
    /// handler may call the sender, who may want to send more; of small ones some at a time.
    #[inline]
    pub(crate) fn publish_in_batches(&mut self) {
        if self.payload().len() as u64 >= self.consumer.capacity() / 64 {
            self.consumer.publish();
        } else {
            self.consumer.publish_in_batches();
        }
    }

    /// The last message's bytes.
    #[inline]
    pub(crate) fn payload(&self) -> &[u8] {
        if self.assembled {
            &self.assembly.as_slice()[LENGTH_PREFIX..]
        } else {
            self.frame.payload()
        }
    }

    /// Gives memory back that one large message needed. Call when its payload is done with.
    #[inline]
    pub(crate) fn trim(&mut self) {
        if self.partial.is_none() {
            self.forget_partial();
            self.assembly.shrink_to(KEPT_BUFFER);
        }
        self.frame.trim(KEPT_BUFFER);
    }

    #[inline]
    fn check_length(&self, length: u64) -> Result<(), Violation> {
        // Frames of our own (failure, goodbye, gap) are small, but larger than a tiny maximum.
        let maximum = self.maximum.max(2048) as u64;
        if length <= maximum { Ok(()) } else { Err(Violation::TooLarge { length, maximum }) }
    }

    #[inline]
    fn forget_partial(&mut self) {
        self.partial = None;
        self.assembled = false;
        self.assembly.clear();
    }

    fn begin(&mut self, message: Received) -> Result<(), Violation> {
        let prefix = self.assembly.as_slice().first_chunk::<LENGTH_PREFIX>();
        let length = prefix
            .map(|prefix| u64::from_le_bytes(*prefix))
            .ok_or(Violation::Sequence("a first fragment without the message's length"))?;
        self.check_length(length)?;
        // Below the maximum, so the sum fits.
        let total = length as usize + LENGTH_PREFIX;
        if self.assembly.as_slice().len() > total {
            return Err(Violation::Sequence("a first fragment longer than its message"));
        }
        self.partial = Some(Partial { message, total });
        Ok(())
    }

    fn check_continues(
        &self,
        message: Received,
        before: usize,
        length: usize,
    ) -> Result<(), Violation> {
        match self.partial {
            None => Err(Violation::Sequence("a fragment without a first one")),
            Some(partial) if partial.message != message => {
                Err(Violation::Sequence("a fragment of another message in between"))
            }
            Some(_) if length == 0 => Err(Violation::Sequence("an empty fragment")),
            Some(partial) if before.saturating_add(length) > partial.total => {
                Err(Violation::Sequence("fragments longer than their message"))
            }
            Some(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<Received, Violation> {
        match self.partial.take() {
            Some(partial) if partial.total == self.assembly.as_slice().len() => {
                self.assembled = true;
                Ok(partial.message)
            }
            _ => Err(Violation::Sequence("fragments shorter than their message")),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ring::frame::Checksums;
    use crate::ring::{Label, Lane, MINIMUM_CAPACITY, Producer};

    const MAXIMUM: usize = 10_000;

    fn pair() -> (Producer, Inbound) {
        let lane = Lane::in_memory(MINIMUM_CAPACITY);
        // SAFETY: one producer and one consumer of a fresh lane.
        let producer = unsafe { Producer::new(lane.clone(), Checksums::On, usize::MAX) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::new(lane, Checksums::On) };
        (producer, Inbound::new(consumer, MAXIMUM))
    }

    fn fragment(producer: &mut Producer, id: u32, first: bool, last: bool, parts: [&[u8]; 2]) {
        let flags = FragmentFlags { first, last, kind: Kind::Notice }.to_u8();
        let label = Label { kind: Kind::Fragment, flags, call_id: id };
        producer.write(label, parts).expect("room");
    }

    fn length(bytes: u64) -> [u8; 8] {
        bytes.to_le_bytes()
    }

    fn next(inbound: &mut Inbound) -> Result<Option<Vec<u8>>, Violation> {
        Ok(inbound.next()?.map(|_| inbound.payload().to_vec()))
    }

    #[test]
    fn fragments_become_one_message() {
        let (mut producer, mut inbound) = pair();
        fragment(&mut producer, 3, true, false, [&length(6), b"abc"]);
        assert_eq!(next(&mut inbound), Ok(None));
        fragment(&mut producer, 3, false, true, [b"def", b""]);
        let received = inbound.next().unwrap().unwrap();
        assert_eq!(received, Received { kind: Kind::Notice, call_id: 3 });
        assert_eq!(inbound.payload(), b"abcdef");
    }

    /// Giving memory back between two messages once took the second one's beginning with it.
    #[test]
    fn trimming_keeps_a_message_that_has_begun() {
        let (mut producer, mut inbound) = pair();
        fragment(&mut producer, 0, true, true, [&length(3), b"old"]);
        fragment(&mut producer, 0, true, false, [&length(4), b"ne"]);
        assert_eq!(next(&mut inbound), Ok(Some(b"old".to_vec())));
        assert_eq!(next(&mut inbound), Ok(None));
        inbound.trim();
        fragment(&mut producer, 0, false, true, [b"wr", b""]);
        assert_eq!(next(&mut inbound), Ok(Some(b"newr".to_vec())));
    }

    #[test]
    fn a_message_given_up_halfway_is_never_seen() {
        let (mut producer, mut inbound) = pair();
        fragment(&mut producer, 0, true, false, [&length(100), b"given up"]);
        producer.write(Label::new(Kind::Notice, 0), [b"whole", &[]]).unwrap();
        fragment(&mut producer, 0, true, false, [&length(100), b"given up too"]);
        fragment(&mut producer, 0, true, true, [&length(2), b"ok"]);
        assert_eq!(next(&mut inbound), Ok(Some(b"whole".to_vec())));
        assert_eq!(next(&mut inbound), Ok(Some(b"ok".to_vec())));
        assert_eq!(next(&mut inbound), Ok(None));
    }

    /// A look took 64 fragments, which with a large ring were gigabytes.
    #[test]
    fn a_look_at_large_fragments_ends_after_a_mebibyte() {
        let lane = Lane::in_memory(16 << 20);
        // SAFETY: one producer and one consumer of a fresh lane.
        let mut producer = unsafe { Producer::new(lane.clone(), Checksums::On, usize::MAX) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::new(lane, Checksums::On) };
        let mut inbound = Inbound::new(consumer, 64 << 20);
        let part = vec![0; 1 << 20];
        fragment(&mut producer, 0, true, false, [&length(32 << 20), &part]);
        for _ in 0..8 {
            fragment(&mut producer, 0, false, false, [&part, b""]);
        }
        assert_eq!(next(&mut inbound), Ok(None));
        let taken = inbound.consumer().position();
        assert!(taken < 2 << 20, "{taken} bytes in one look");
    }

    #[test]
    fn what_no_correct_peer_sends_is_a_violation() {
        type Forge = fn(&mut Producer);
        let cases: [(&str, Forge); 8] = [
            ("continues nothing", |p| fragment(p, 0, false, true, [b"x", b""])),
            ("no length", |p| fragment(p, 0, true, false, [b"1234567", b""])),
            ("too large", |p| fragment(p, 0, true, false, [&length(10_001), b"x"])),
            ("absurd", |p| fragment(p, 0, true, false, [&length(u64::MAX), b"x"])),
            ("first too long", |p| fragment(p, 0, true, false, [&length(1), b"xy"])),
            ("too short", |p| fragment(p, 0, true, true, [&length(3), b"xy"])),
            ("another's", |p| {
                fragment(p, 1, true, false, [&length(3), b"x"]);
                fragment(p, 2, false, false, [b"y", b""]);
            }),
            ("empty", |p| {
                fragment(p, 1, true, false, [&length(3), b"x"]);
                fragment(p, 1, false, false, [b"", b""]);
            }),
        ];
        for (name, forge) in cases {
            let (mut producer, mut inbound) = pair();
            forge(&mut producer);
            assert!(next(&mut inbound).is_err(), "{name}");
        }
    }
}
