//! A message's way through the ring: in one frame, or in fragments if it is larger than a frame may
//! be.

use crate::link::inbound::LENGTH_PREFIX;
use crate::ring::frame::{FragmentFlags, Kind};
use crate::ring::{Label, Producer, Refused};

const _: () = assert!(LENGTH_PREFIX == size_of::<u64>());

/// What is on its way.
#[derive(Debug)]
pub(super) struct Fragments {
    pub(super) label: Label,
    length: usize,
    /// Most payload bytes of a frame.
    most: usize,
    /// Payload bytes written so far; `None` before the first fragment.
    written: Option<usize>,
}

impl Fragments {
    /// For a message of `length` bytes, in frames of at most `most` payload bytes.
    pub(super) fn new(label: Label, length: usize, most: usize) -> Self {
        Self { label, length, most, written: None }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.written.is_some()
    }

    /// Writes the message, or as much of it as makes a sensible frame just now. Gives its end once
    /// it is whole.
    pub(super) fn write_some(
        &mut self,
        producer: &mut Producer,
        bytes: &[u8],
    ) -> Result<Option<u64>, Refused> {
        if self.length <= self.most {
            return producer.write(self.label, [bytes, &[]]).map(Some);
        }
        let room = producer.room_for_payload()?;
        let capacity = producer.lane().capacity() as usize;
        let from = self.written.unwrap_or(0);
        let prefix = (self.length as u64).to_le_bytes();
        let prefix: &[u8] = if self.has_begun() { &[] } else { &prefix };
        // A quarter of the ring at most, so that the consumer copies while the next is written; an
        // eighth at least, so that a slow consumer does not make us send crumbs.
        let left = self.length - from + prefix.len();
        let most = (capacity / 4).min(self.most);
        let size = left.min(room).min(most);
        if size < left.min(most / 2) {
            return Err(Refused::NoRoom);
        }
        let to = from + size - prefix.len();
        let flags = FragmentFlags {
            first: !self.has_begun(),
            last: to == self.length,
            kind: self.label.kind,
        };
        let label =
            Label { kind: Kind::Fragment, flags: flags.to_u8(), call_id: self.label.call_id };
        let end = producer.write(label, [prefix, &bytes[from..to]])?;
        self.written = Some(to);
        Ok((to == self.length).then_some(end))
    }
}
