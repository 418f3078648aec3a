//! Who leads: takes what comes out of the lane up to its own answer, and hands the lane on.

use std::time::Duration;

use super::{Calls, NoAnswer};
use crate::link::Link;
use crate::link::control::Failure;
use crate::link::inbound::{Inbound, LOOK_BYTES};
use crate::os::wait::{self, Deadline, WAITING_SLICE};
use crate::ring::Violation;
use crate::ring::frame::Kind;
use crate::segment::doorbell::Slept;
use crate::sync::{Fault, broken};

/// Messages taken from the lane between two looks at the clock.
const LOOK: usize = 64;
/// Looks for an answer between two looks at whether the other side waits for room.
const TEND: u32 = 32;
/// How often a waiting caller sees to a queue that waits for room (its own request may be in it).
const QUEUE_SLICE: Duration = Duration::from_millis(1);

/// How leading ended.
pub(super) enum LeadEnd<R> {
    Mine(R),
    Failed(Failure),
    Nothing(NoAnswer),
}

/// The lane's reader in a leader's hands.
pub(super) struct Leadership<'a> {
    pub(super) calls: &'a Calls,
    pub(super) link: &'a Link,
    pub(super) reader: Option<Box<Inbound>>,
    pub(super) call_id: u32,
    /// Whether the call's answer may come when nobody waits for it any more.
    pub(super) abandons: bool,
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        let reader = self.reader.take();
        if self.link.is_inherited() {
            // A forked child that came out of the user's code: nobody leads there, nor waits.
            std::mem::forget(reader);
        } else if let Some(reader) = reader {
            self.calls.hand_on(reader, self.call_id, self.abandons);
        }
    }
}

impl Calls {
    pub(super) fn lead<R>(
        &self,
        link: &Link,
        reader: &mut Inbound,
        call_id: u32,
        deadline: &mut Deadline,
        read: &impl Fn(&[u8]) -> R,
    ) -> LeadEnd<R> {
        let mut slept = false;
        loop {
            let mut looks = 0_u32;
            let found = wait::spin(link.spin_budget(), deadline, || {
                looks = looks.wrapping_add(1);
                let has_data = reader.consumer().has_data();
                let found = match has_data {
                    true => self.take_until_mine(reader, call_id, read).transpose(),
                    false => None,
                };
                let tend = has_data || looks % TEND == 0;
                if tend && found.is_none() && reader.consumer().producer_waits_hint() {
                    self.give_room(link, reader);
                }
                found
            });
            // Room is wanted by a sender that waits for it; looked at before going idle or leaving.
            self.give_room(link, reader);
            match found {
                Some(Ok(end)) => return end,
                Some(Err(violation)) => {
                    return LeadEnd::Nothing(NoAnswer::Ended(link.accuse(&violation)));
                }
                None => {}
            }
            if let Err(why) = self.park(link, reader, deadline, slept) {
                return LeadEnd::Nothing(why);
            }
            slept = true;
        }
    }

    /// Takes what is there, up to the answer to `call_id`, and no more than a look's worth: a peer
    /// that sends without end must not keep its caller past the deadline.
    #[inline]
    fn take_until_mine<R>(
        &self,
        reader: &mut Inbound,
        call_id: u32,
        read: &impl Fn(&[u8]) -> R,
    ) -> Result<Option<LeadEnd<R>>, Violation> {
        let begun = reader.consumer().position();
        for _ in 0..LOOK {
            if reader.consumer().position() - begun >= LOOK_BYTES {
                break;
            }
            let Some(received) = reader.next()? else { break };
            reader.consumer().publish();
            if received.call_id == call_id {
                match received.kind {
                    Kind::Reply => return Ok(Some(LeadEnd::Mine(read(reader.payload())))),
                    Kind::Failure => {
                        return Ok(Some(LeadEnd::Failed(Failure::from_bytes(reader.payload()))));
                    }
                    _ => {}
                }
            }
            self.deliver(received, reader);
        }
        Ok(None)
    }

    /// Sleeps until something came into the lane, or time to look at the world again.
    fn park(
        &self,
        link: &Link,
        reader: &mut Inbound,
        deadline: &mut Deadline,
        has_slept: bool,
    ) -> Result<(), NoAnswer> {
        let Some(left) = deadline.left() else {
            return Err(NoAnswer::Deadline);
        };
        let token = self.bell.token();
        // The kernel is asked whether the peer lives by who has slept in vain. A death before that
        // is told by the watch, or found after the first slice.
        let ended = if has_slept { link.ended_for_certain() } else { link.ended() };
        let (mut quiet, mut slice) = (false, WAITING_SLICE);
        let slept = self.bell.sleep_unless(token, reader.consumer(), |consumer| {
            // What the peer sent before it ended is looked at after its end is certain.
            quiet = !consumer.has_data();
            if !quiet || ended.is_some() {
                return None;
            }
            slice = if link.flush() { WAITING_SLICE } else { QUEUE_SLICE };
            Some(left.min(slice))
        });
        if let Some(departure) = ended.filter(|_| quiet) {
            return Err(NoAnswer::Ended(departure));
        }
        if slept == Slept::InVain && slice == WAITING_SLICE {
            // What it finds is told by the next look, after one at what the peer sent before.
            drop(link.ended_after_a_wait());
        }
        Ok(())
    }

    /// Gives the lane's room back and wakes who waits for it.
    #[inline]
    pub(super) fn give_room(&self, link: &Link, reader: &mut Inbound) {
        reader.consumer().publish();
        if reader.consumer().producer_waits() {
            link.ring_for_reply_room();
        }
    }

    /// Ends leading: the reader goes back, and a caller that sleeps is woken to lead.
    #[inline]
    fn hand_on(&self, mut reader: Box<Inbound>, call_id: u32, abandons: bool) {
        if broken(Fault::HandOnEarly) {
            self.lock().wake_next();
            self.lock().reader = Some(reader);
            self.lock().take(call_id);
            return;
        }
        reader.trim();
        let mut table = self.lock();
        table.reader = Some(reader);
        table.take(call_id);
        if abandons {
            table.abandon(call_id);
        }
        if !broken(Fault::NoHandOn) {
            table.wake_next();
        }
    }
}
