//! What comes for nobody who waits: late answers and rejections, taken out of the others' way.

use std::thread;
use std::time::Duration;

use super::Calls;
use super::leader::Leadership;
use crate::link::Link;
use crate::link::control::Failure;
use crate::link::inbound::LOOK_BYTES;

/// Messages taken out of the way of who waits for room.
const DRAIN: usize = 4096;
/// Pauses between two looks for late answers: the shortest, and the longest.
const REAP_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

impl Calls {
    /// Failures of messages that nobody waited for, taken out of the lane as far as they are there.
    pub(crate) fn take_rejections(&self, link: &Link) -> Vec<Failure> {
        self.drain(link);
        std::mem::take(&mut self.lock().rejections)
    }

    /// Takes what is there out of the lane, if nobody leads: replies that come after their calls
    /// ended would stand in the way of others. Tells whether there was anything.
    pub(crate) fn drain(&self, link: &Link) -> bool {
        let reader = self.lock().reader.take();
        let mut leadership = Leadership { calls: self, link, reader, call_id: 0, abandons: false };
        let Some(reader) = leadership.reader.as_deref_mut() else { return false };
        let before = reader.consumer().position();
        for _ in 0..DRAIN {
            // A peer that sends without pause must not keep the listener from all others.
            if reader.consumer().position() - before >= LOOK_BYTES {
                break;
            }
            match reader.next() {
                Ok(Some(received)) => self.deliver(received, reader),
                Ok(None) if reader.consumer().has_data() => {}
                Ok(None) => break,
                // Nobody may ever call, and who finds it is who tells.
                Err(violation) => {
                    link.accuse(&violation);
                    break;
                }
            }
        }
        let moved = reader.consumer().position() != before;
        self.give_room(link, reader);
        moved
    }

    /// Takes the answers of calls that ended by their deadline out of the lane as they come. A
    /// large one that nobody takes would keep the other side from taking anything more of this
    /// one.
    pub(crate) fn reap(&self, link: &Link) {
        let mut pause = REAP_PAUSES.0;
        loop {
            crate::step::reach("reap.answers");
            let moved = self.drain(link);
            let mut table = self.lock();
            if table.abandoned.is_empty() || link.ended().is_some() {
                table.reaping = false;
                return;
            }
            drop(table);
            pause = if moved { REAP_PAUSES.0 } else { (pause * 2).min(REAP_PAUSES.1) };
            thread::sleep(pause);
        }
    }

    /// Does somebody have to begin to [`reap`](Self::reap)?
    pub(crate) fn wants_reaper(&self) -> bool {
        let mut table = self.lock();
        let wanted = !table.reaping && !table.abandoned.is_empty();
        table.reaping |= wanted;
        wanted
    }

    /// No answer to this call will come: its request was taken back. Zero: none to any.
    pub(crate) fn expect_nothing(&self, call_id: u32) {
        let mut table = self.lock();
        table.abandoned.retain(|abandoned| call_id != 0 && *abandoned != call_id);
        table.reaping &= call_id != 0;
    }
}
