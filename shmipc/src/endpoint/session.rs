//! One link as its listener has it: takes messages out of the lane and runs them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Departure;
use crate::link::Link;
use crate::link::control::Goodbye;
use crate::link::inbound::{Inbound, LOOK_BYTES, Received};
use crate::link::outbound::Flushed;
use crate::ring::Violation;
use crate::ring::frame::Kind;
use crate::segment::doorbell::{Sleeper, look_announced};
use crate::sync::{Fault, broken};
use crate::typed::context::Context;
use crate::typed::dispatch::{self, Service};
use crate::typed::message::ShmMessage;

/// Looks that are left out after a notice, some hundreds of nanoseconds.
const LINGER: u32 = 16;
/// Messages taken from one link before the others have their turn.
const BATCH: usize = 32;

/// How long a sender that waits for room waits while notices are handled, before it is told of room
/// that is there: some tens of wake-ups.
const SLOW: Duration = Duration::from_millis(1);

/// What a look at a link gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Messages were handled.
    Busy,
    /// Nothing to do.
    Idle,
    /// Nothing can be done until the peer reads its replies.
    Stuck,
    /// The link ended.
    Ended(Departure),
}

/// What became of one turn at a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batch {
    Handled,
    Nothing,
    /// The peer must read its replies first.
    Stuck,
}

/// Waits a moment before the next look at a lane that just gave a notice. A sender of notices goes
/// on without waiting for anybody; each look takes the line with its position away from it, and
/// finding a few messages at a time costs both sides far less than finding each alone. After a
/// request the next look comes at once: its sender waits.
fn linger() {
    for _ in 0..LINGER {
        std::hint::spin_loop();
    }
}

/// One link as its listener has it.
pub(crate) struct Session<P: ShmMessage> {
    link: Arc<Link>,
    inbound: Inbound,
    context: Context<P>,
    /// Said that this side sleeps.
    parked: bool,
    /// What the lane's frames could not reach beyond when the peer's end was first seen.
    last_position: Option<u64>,
    /// The position up to which the lane's room was given back, and who waits for it woken.
    given: u64,
    /// When, since room was last given back, a sender was first seen that waits for it.
    wanted: Option<Instant>,
}

impl<P: ShmMessage> Session<P> {
    pub(crate) fn new(link: Arc<Link>, inbound: Inbound, context: Context<P>) -> Self {
        Self { link, inbound, context, parked: false, last_position: None, given: 0, wanted: None }
    }

    #[inline]
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Handles up to a batch of messages, and none once this side is stopping.
    #[inline]
    pub(crate) fn process(
        &mut self,
        service: &mut dyn Service<P>,
        is_stopping: impl Fn() -> bool,
    ) -> Progress {
        let ended = self.link.ended();
        if let Some(departure) = ended.clone().filter(|_| self.is_through()) {
            return Progress::Ended(departure);
        }
        // What was left of a queue goes next time, after the others' turn.
        let flushed = self.link.flush_some();
        let batch = match self.handle_batch(service, is_stopping, ended.is_some()) {
            Ok(batch) => batch,
            Err(violation) => return Progress::Ended(self.link.accuse(&violation)),
        };
        if self.inbound.consumer().position() != self.given {
            self.give_room();
        }
        match (flushed, batch) {
            (_, Batch::Handled) => {
                self.inbound.trim();
                Progress::Busy
            }
            (Flushed::Partly, _) => Progress::Busy,
            (_, Batch::Stuck) => Progress::Stuck,
            (_, Batch::Nothing) => Progress::Idle,
        }
    }

    /// Takes and runs messages until there is none, or the others' turn comes: after so many
    /// messages or so many bytes. Of a link that `has_ended`, replies need no room.
    #[inline]
    fn handle_batch(
        &mut self,
        service: &mut dyn Service<P>,
        is_stopping: impl Fn() -> bool,
        has_ended: bool,
    ) -> Result<Batch, Violation> {
        let mut batch = Batch::Nothing;
        let mut handled = 0;
        let mut streaming = false;
        let begun = self.inbound.consumer().position();
        while handled < BATCH
            && !is_stopping()
            && self.inbound.consumer().position() - begun < LOOK_BYTES
        {
            if !has_ended && self.link.replies().is_congested() {
                return Ok(if handled > 0 { batch } else { Batch::Stuck });
            }
            match self.inbound.next()? {
                Some(received) => {
                    self.free_room_of(received.kind);
                    if !self.may_run(received.kind) {
                        break;
                    }
                    self.run(service, received);
                    crate::step::reach("dispatch.after");
                    handled += 1;
                    batch = Batch::Handled;
                    streaming = received.kind == Kind::Notice;
                }
                None if streaming => {
                    streaming = false;
                    linger();
                }
                None => break,
            }
        }
        Ok(batch)
    }

    /// Gives the room of what was taken back.
    #[inline]
    fn free_room_of(&mut self, kind: Kind) {
        if kind == Kind::Request {
            // Before the dispatch: a request behind this position certainly did not start.
            if !broken(Fault::PublishedLate) {
                self.inbound.consumer().publish();
            }
        } else {
            // Nobody asks whether a notice ran: its room is given back with others'.
            self.inbound.publish_in_batches();
            if self.inbound.consumer().producer_waits_hint() {
                self.give_room_if_slow();
            }
        }
    }

    /// May what was taken still run, or did this side close the link?
    #[inline]
    fn may_run(&mut self, kind: Kind) -> bool {
        if kind == Kind::Request {
            let is_open = !self.link.is_closed_here();
            if broken(Fault::PublishedLate) {
                self.inbound.consumer().publish();
            }
            is_open
        } else {
            !self.link.was_closed_here()
        }
    }

    /// Of a link that ended: is everything handled that is to be? Nothing more if this side ended
    /// it; else what the peer sent up to its end, and not what it sends after that.
    #[inline]
    fn is_through(&mut self) -> bool {
        let consumer = self.inbound.consumer();
        let last = *self.last_position.get_or_insert_with(|| consumer.farthest_end());
        self.link.is_closed_here() || !consumer.has_data() || consumer.position() >= last
    }

    #[inline]
    fn run(&mut self, service: &mut dyn Service<P>, received: Received) {
        crate::step::reach("dispatch.before");
        let (cx, link, payload) = (&self.context, &self.link, self.inbound.payload());
        match received.kind {
            Kind::Notice => dispatch::dispatch(service, cx, link, 0, payload),
            Kind::Request => dispatch::dispatch(service, cx, link, received.call_id, payload),
            Kind::Gap => {
                let count = payload.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                dispatch::contain(link, || service.messages_missed(cx, count));
            }
            Kind::Goodbye => link.heard(Goodbye::departure_from(payload)),
            // These belong to the reply lane; `Inbound` never gives the last two.
            Kind::Reply | Kind::Failure | Kind::Fragment | Kind::Pad => {}
        }
    }

    /// Many small messages share one wake-up, but not while a handler takes its time.
    #[cold]
    fn give_room_if_slow(&mut self) {
        let wanted = *self.wanted.get_or_insert_with(Instant::now);
        if wanted.elapsed() >= SLOW {
            self.give_room();
        }
    }

    #[inline]
    fn give_room(&mut self) {
        self.wanted = None;
        let consumer = self.inbound.consumer();
        self.given = consumer.position();
        consumer.publish();
        if consumer.producer_waits() {
            self.link.ring_for_message_room();
        }
    }

    /// Is there a frame? A damaged one counts: the next look finds it.
    #[inline]
    pub(crate) fn has_data(&mut self) -> bool {
        self.inbound.consumer().has_data()
    }

    /// Once in a while: is there anything to do that no bell told? A safeguard against what a peer
    /// does wrong or leaves undone when it dies.
    pub(crate) fn wants_attention(&mut self) -> bool {
        self.link.calls().drain(&self.link);
        // Asked in any case: a dead peer reads nothing, so what waits for it is no reason not to
        // ask.
        let is_gone = self.check_life().is_some();
        !self.link.flush() || self.has_data() || is_gone
    }

    /// Asks the kernel whether the peer lives.
    pub(crate) fn check_life(&self) -> Option<Departure> {
        self.link.ended_for_certain()
    }

    /// Says that this side is about to stop looking at the link. `false`: there is something to do
    /// after all.
    pub(crate) fn park(&mut self, stuck: bool) -> bool {
        let quiet = look_announced(self, |session| session.is_quiet(stuck));
        if !quiet {
            self.withdraw();
        }
        quiet
    }

    /// Is there nothing to do? What the peer sent is not, where replies are stuck.
    pub(crate) fn is_quiet(&mut self, stuck: bool) -> bool {
        (stuck || !self.has_data()) && self.link.ended().is_none()
    }

    pub(crate) fn arrived(&self, service: &mut dyn Service<P>) {
        dispatch::contain(&self.link, || service.peer_arrived(&self.context));
    }

    pub(crate) fn departed(&self, service: &mut dyn Service<P>, departure: &Departure) {
        dispatch::contain(&self.link, || service.peer_departed(&self.context, departure));
    }
}

impl<P: ShmMessage> Sleeper for Session<P> {
    fn announce(&mut self) {
        self.parked = true;
        self.inbound.consumer().announce();
    }

    fn withdraw(&mut self) {
        if self.parked {
            self.parked = false;
            self.inbound.consumer().withdraw();
        }
    }
}
