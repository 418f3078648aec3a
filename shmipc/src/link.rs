//! One connection's lanes and life, the same on both sides.

pub(crate) mod calls;
pub(crate) mod inbound;
pub(crate) mod outbound;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::codec::DecodeError;
use crate::doorbell::Bell;
use crate::error::{CallError, Departure, Outcome, SendError};
use crate::frame::Kind;
use crate::note::{Failure, Goodbye};
use crate::ring::{Consumer, Label, Producer, Violation};
use crate::segment::link::{BellId, LaneId, LinkSegment, Role};
use crate::segment::registry::{Registry, RegistryView};
use crate::sync::{Ordering, fence};
use crate::wait::Deadline;
use crate::watch::Watch;
use calls::{Calls, NoAnswer};
use inbound::Inbound;
use outbound::{Outbound, Sent, WhenFull};

/// Who is on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerFacts {
    /// The link's number, unique while the server lives.
    pub(crate) id: u64,
    /// The process id that the peer gave.
    pub(crate) pid: u32,
    /// The segment's owner, from the kernel.
    pub(crate) uid: u32,
}

/// How the server's listener is told to look at this link.
pub(crate) enum Attention {
    /// From the client's process.
    Remote(Arc<RegistryView>, usize),
    /// From the server's own process.
    Local(Arc<Registry>, usize),
}

impl Attention {
    fn ask(&self) {
        match self {
            Self::Remote(view, index) => view.mark_ready(*index),
            Self::Local(registry, index) => registry.mark_ready(*index),
        }
    }
}

/// How this process waits and queues; the same for all links of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) spin: Duration,
    /// Most bytes that wait privately for one lane.
    pub(crate) queue_maximum: usize,
    /// Whether a peer for which more would have to wait is sent away.
    pub(crate) close_when_full: bool,
}

/// One connection.
pub(crate) struct Link {
    segment: LinkSegment,
    peer: PeerFacts,
    manner: Manner,
    messages: Outbound,
    replies: Outbound,
    calls: Calls,
    /// The client's doorbells; on the client's side rung by itself too, when the link ends.
    listener_bell: Bell,
    room_bell: Bell,
    far_reply_bell: Bell,
    attention: Attention,
    /// How the link ended, once it did.
    end: OnceLock<Departure>,
    /// Whether it was this side that ended it.
    closed: AtomicBool,
    /// What the peer's goodbye frame said, which is more than its word does.
    said: Mutex<Option<Departure>>,
    watch: OnceLock<Watch>,
}

/// The segment was too small for its own geometry, which its checks exclude.
#[derive(Debug)]
pub(crate) struct BadGeometry;

impl Link {
    /// Makes a link of a segment that both sides agreed on; the second part is the message lane's
    /// reading end, for this side's listener. Once for each segment: it takes all lanes.
    pub(crate) fn new(
        segment: LinkSegment,
        peer_id: u64,
        attention: Attention,
        manner: Manner,
    ) -> Result<(Arc<Self>, Inbound), BadGeometry> {
        use LaneId::{MessagesToClient, MessagesToServer, RepliesToClient, RepliesToServer};
        let [messages_out, replies_out, messages_in, replies_in] = match segment.role() {
            Role::Client => [MessagesToServer, RepliesToServer, MessagesToClient, RepliesToClient],
            Role::Server => [MessagesToClient, RepliesToClient, MessagesToServer, RepliesToServer],
        };
        let (own_replies, far_replies) = match segment.role() {
            Role::Client => (BellId::ClientReplies, BellId::ServerReplies),
            Role::Server => (BellId::ServerReplies, BellId::ClientReplies),
        };
        let bell = |id| segment.bell(id).ok_or(BadGeometry);
        let reader = inbound(&segment, replies_in)?;
        let messages = outbound(&segment, messages_out, manner)?;
        let replies = outbound(&segment, replies_out, manner)?;
        let messages_in = inbound(&segment, messages_in)?;
        let link = Self {
            peer: PeerFacts { id: peer_id, pid: segment.peer_pid(), uid: segment.owner_uid() },
            manner,
            messages,
            replies,
            calls: Calls::new(reader, bell(own_replies)?),
            listener_bell: bell(BellId::ClientListener)?,
            room_bell: bell(BellId::ClientRoom)?,
            far_reply_bell: bell(far_replies)?,
            attention,
            end: OnceLock::new(),
            closed: AtomicBool::new(false),
            said: Mutex::new(None),
            watch: OnceLock::new(),
            segment,
        };
        let link = Arc::new(link);
        let weak = Arc::downgrade(&link);
        let watch = Watch::start(link.peer.pid, move || {
            if let Some(link) = weak.upgrade() {
                link.wake_own_side();
            }
        });
        if let Some(watch) = watch {
            // Just made: nobody set it before.
            drop(link.watch.set(watch));
        }
        Ok((link, messages_in))
    }

    pub(crate) fn peer(&self) -> PeerFacts {
        self.peer
    }

    /// How long to spin before sleeping: not at all where that would keep the peer from running.
    #[inline]
    pub(crate) fn spin_budget(&self) -> Duration {
        if self.segment.shares_processor() { Duration::ZERO } else { self.manner.spin }
    }

    /// Does the kernel tell this side at once when the peer dies?
    pub(crate) fn is_watched(&self) -> bool {
        self.watch.get().is_some()
    }

    pub(crate) fn listener_bell(&self) -> &Bell {
        &self.listener_bell
    }

    pub(crate) fn room_bell(&self) -> &Bell {
        &self.room_bell
    }

    pub(crate) fn replies(&self) -> &Outbound {
        &self.replies
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    // ---- waking -----------------------------------------------------------------------------

    /// Wakes the consumer of a lane that this side wrote to.
    pub(crate) fn ring_for_data(&self, lane: LaneId) {
        match lane {
            LaneId::MessagesToServer => self.attention.ask(),
            LaneId::MessagesToClient => self.listener_bell.ring(),
            LaneId::RepliesToClient | LaneId::RepliesToServer => self.far_reply_bell.ring(),
        }
    }

    /// Wakes who waits for room in the message lane that this side reads.
    pub(crate) fn ring_for_message_room(&self) {
        match self.segment.role() {
            Role::Client => self.attention.ask(),
            Role::Server => self.room_bell.ring(),
        }
    }

    /// Wakes who waits for room in the reply lane that this side reads.
    pub(crate) fn ring_for_reply_room(&self) {
        match self.segment.role() {
            Role::Client => self.attention.ask(),
            Role::Server => self.listener_bell.ring(),
        }
    }

    /// Wakes everybody of this process who may sleep on account of this link.
    pub(crate) fn wake_own_side(&self) {
        self.calls.bell().ring();
        match self.segment.role() {
            Role::Client => {
                self.listener_bell.ring();
                self.room_bell.ring();
            }
            Role::Server => self.attention.ask(),
        }
    }

    fn wake_far_side(&self) {
        self.far_reply_bell.ring();
        match self.segment.role() {
            Role::Client => self.attention.ask(),
            Role::Server => {
                self.listener_bell.ring();
                self.room_bell.ring();
            }
        }
    }

    // ---- sending ----------------------------------------------------------------------------

    /// Writes what waits in private queues, as far as there is room. `true`: nothing waits.
    pub(crate) fn flush(&self) -> bool {
        self.messages.flush(self);
        self.replies.flush(self);
        self.messages.queued_nothing() && self.replies.queued_nothing()
    }

    /// Sends a notice: a client waits for room, a server queues.
    pub(crate) fn notify<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Duration,
    ) -> Result<(), SendError> {
        self.check_open(timeout)?;
        let label = Label::new(Kind::Notice, 0);
        match self.segment.role() {
            Role::Client => {
                let mut deadline = Deadline::new(timeout);
                self.messages.send_blocking(self, label, value, &mut deadline).map(drop)
            }
            Role::Server => {
                self.check_handled()?;
                // The sender learns that it was refused and may try again: nothing is missed yet.
                let sent = self.messages.send_queueing(self, label, value, WhenFull::Refuse);
                self.close_if_too_slow(sent)
            }
        }
    }

    /// Sends an event that is encoded already, one of a broadcast: if it is refused, the peer is
    /// told that it missed one. For the server.
    pub(crate) fn notify_encoded(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.check_open(Duration::MAX)?;
        self.check_handled()?;
        let label = Label::new(Kind::Notice, 0);
        let sent = self.messages.send_bytes(self, label, bytes, WhenFull::Count);
        self.close_if_too_slow(sent)
    }

    fn close_if_too_slow(&self, sent: Result<Sent, SendError>) -> Result<(), SendError> {
        if self.manner.close_when_full && matches!(sent, Err(SendError::Overflow { .. })) {
            self.close(&Goodbye::TooSlow, Departure::TooSlow);
        }
        sent.map(drop)
    }

    /// Sends a request and waits for its reply.
    pub(crate) fn call<T: Serialize + ?Sized, R>(
        &self,
        value: &T,
        timeout: Duration,
        read: impl Fn(&[u8]) -> Result<R, DecodeError>,
    ) -> Result<R, CallError> {
        self.check_open(timeout)?;
        let mut deadline = Deadline::new(timeout);
        let call_id = self.calls.begin();
        let label = Label::new(Kind::Request, call_id);
        let sent = self.calls.or_forget(call_id, || match self.segment.role() {
            Role::Client => {
                self.messages.send_blocking(self, label, value, &mut deadline).map(Sent::At)
            }
            Role::Server => self
                .check_handled()
                .and_then(|()| self.messages.send_queueing(self, label, value, WhenFull::Refuse)),
        })?;
        match self.calls.wait(self, call_id, &mut deadline, read) {
            Ok(answer) => {
                if sent == Sent::Queued {
                    self.messages.take_queued_end(call_id);
                }
                answer?.map_err(CallError::UndecodableReply)
            }
            Err(NoAnswer::Ended(departure)) => {
                let outcome = self.outcome_after_end(sent, call_id);
                Err(CallError::PeerGone { pid: self.peer.pid, departure, outcome })
            }
            Err(NoAnswer::Deadline) => {
                // Only what never left this process is certain not to run later.
                let recalled = sent == Sent::Queued && self.recall(call_id);
                let outcome = if recalled { Outcome::NotStarted } else { Outcome::MayHaveRun };
                let waited = deadline.waited();
                Err(CallError::Deadline { waited, pid: self.peer.pid, outcome })
            }
        }
    }

    /// Takes a request back out of the queue; `true`: it never will run.
    fn recall(&self, call_id: u32) -> bool {
        let recalled = self.messages.recall(call_id);
        self.messages.take_queued_end(call_id);
        recalled
    }

    /// Did a request run whose link ended? The ring tells, once the other side is certain to take no
    /// more: its process is dead, or it said goodbye.
    ///
    /// The consumer publishes its position, fences, and drops what it took if its side was closed
    /// ([`is_closed_here`](Self::is_closed_here)); closing sets that, fences, and then says goodbye.
    /// Here the goodbye is seen, a fence, then the position is read. If that position does not cover
    /// the request, the consumer's fence comes after this one, hence after the closing one, and it
    /// drops the request. Where only *this* side ended the link, the other may still take it.
    fn outcome_after_end(&self, sent: Sent, call_id: u32) -> Outcome {
        let end = match sent {
            Sent::At(end) => Some(end),
            Sent::Queued => {
                let end = self.messages.take_queued_end(call_id);
                if end.is_none() && self.recall(call_id) {
                    return Outcome::NotStarted;
                }
                end
            }
        };
        let takes_no_more = self.segment.peer_goodbye() != 0 || !self.segment.peer_is_alive();
        // SYNC(closing): orders the look at the goodbye before the look at the position.
        fence(Ordering::SeqCst);
        match end {
            Some(end) if takes_no_more && !self.messages.was_taken(end) => Outcome::NotStarted,
            _ => Outcome::MayHaveRun,
        }
    }

    /// Sends a failure instead of a reply.
    pub(crate) fn fail(&self, call_id: u32, failure: &Failure) {
        let label = Label::new(Kind::Failure, call_id);
        // Of failures for which nobody waits only as many are kept as fit.
        let when_full = if call_id == 0 { WhenFull::Refuse } else { WhenFull::Queue };
        // Any other error means that the link ended: there is nobody left to tell.
        drop(self.replies.send_bytes(self, label, &failure.to_bytes(), when_full));
    }

    fn check_open(&self, timeout: Duration) -> Result<(), SendError> {
        if timeout.is_zero() {
            return Err(SendError::ZeroDeadline);
        }
        match self.ended() {
            Some(departure) => Err(self.send_error(departure)),
            None => Ok(()),
        }
    }

    fn check_handled(&self) -> Result<(), SendError> {
        if self.segment.options().handles_events {
            Ok(())
        } else {
            Err(SendError::NotHandled { pid: self.peer.pid })
        }
    }

    pub(crate) fn send_error(&self, departure: Departure) -> SendError {
        match departure {
            Departure::ClosedHere => SendError::Closed,
            departure => SendError::PeerGone { pid: self.peer.pid, departure },
        }
    }

    // ---- the end ----------------------------------------------------------------------------

    /// How the link ended, as far as can be told without asking the kernel.
    #[inline]
    pub(crate) fn ended(&self) -> Option<Departure> {
        if let Some(departure) = self.end.get() {
            return Some(departure.clone());
        }
        match self.segment.peer_goodbye() {
            0 => None,
            code => {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some(said.unwrap_or_else(|| Goodbye::departure(code)))
            }
        }
    }

    /// How the link ended, with the kernel asked whether the peer lives.
    pub(crate) fn ended_for_certain(&self) -> Option<Departure> {
        self.ended().or_else(|| {
            if self.segment.peer_is_alive() {
                return None;
            }
            // A goodbye may have come just before the end.
            let departure = self.ended().unwrap_or(Departure::Died);
            if let Attention::Remote(view, _) = &self.attention {
                view.remove_if_stale();
            }
            Some(self.end_with(departure))
        })
    }

    /// Remembers what the peer's goodbye frame said.
    pub(crate) fn heard(&self, departure: Departure) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(departure);
    }

    /// Ends the link because the peer broke the protocol.
    pub(crate) fn accuse(&self, violation: &Violation) -> Departure {
        let text = violation.to_string();
        self.close(&Goodbye::Violation(text.clone()), Departure::Violation(text))
    }

    /// Ends the link in an orderly way: says goodbye in the ring if there is room, and by the word in
    /// any case, then wakes both sides. Gives the end that counts, which is the first.
    pub(crate) fn close(&self, goodbye: &Goodbye, departure: Departure) -> Departure {
        let mut is_first = false;
        let end = self.end.get_or_init(|| {
            is_first = true;
            departure
        });
        if !is_first {
            return end.clone();
        }
        self.closed.store(true, Ordering::Relaxed);
        // SYNC(closing): from here on this side's listener drops what it takes; the goodbye below
        // comes after that.
        fence(Ordering::SeqCst);
        self.messages.flush(self);
        self.replies.flush(self);
        drop(self.messages.say_goodbye(self, Label::new(Kind::Goodbye, 0), &goodbye.to_bytes()));
        self.segment.say_goodbye(goodbye.code());
        self.wake_own_side();
        self.wake_far_side();
        end.clone()
    }

    /// Has this side closed the link? Ask after publishing the position of what was taken and before
    /// dispatching it; then drop it.
    #[inline]
    pub(crate) fn is_closed_here(&self) -> bool {
        // SYNC(closing): orders the published position before this look.
        fence(Ordering::SeqCst);
        self.closed.load(Ordering::Relaxed)
    }

    fn end_with(&self, departure: Departure) -> Departure {
        let first = self.end.get_or_init(|| departure).clone();
        self.wake_own_side();
        first
    }
}

fn outbound(segment: &LinkSegment, id: LaneId, manner: Manner) -> Result<Outbound, BadGeometry> {
    let options = segment.options();
    let lane = segment.lane(id).ok_or(BadGeometry)?;
    // SAFETY: `Link::new` takes each lane of its segment once, each for one end.
    let producer = unsafe { Producer::new(lane, options.checksums, options.max_message) };
    Ok(Outbound::new(id, producer, options.max_message, manner.queue_maximum))
}

fn inbound(segment: &LinkSegment, id: LaneId) -> Result<Inbound, BadGeometry> {
    let options = segment.options();
    let lane = segment.lane(id).ok_or(BadGeometry)?;
    // SAFETY: as in `outbound`.
    let consumer = unsafe { Consumer::new(lane, options.checksums) };
    Ok(Inbound::new(consumer, options.max_message))
}
