//! One connection's lanes and life, the same on both sides.

pub(crate) mod calls;
pub(crate) mod control;
mod end;
pub(crate) mod inbound;
pub(crate) mod nesting;
pub(crate) mod outbound;
pub(crate) mod responder;
mod send;

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::Departure;
use crate::os::thread::Hook;
use crate::os::watch::Watch;
use crate::ring::{Consumer, Producer};
use crate::segment::doorbell::Bell;
use crate::segment::link::{BellId, LaneId, LinkSegment, Role};
use crate::segment::registry::{Registry, RegistryView};
use crate::sync::{AtomicBool, Mutex, OnceLock};
use calls::Calls;
use inbound::Inbound;
use outbound::Outbound;

/// Who is on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerFacts {
    /// The link's number, unique while the server lives.
    pub(crate) id: u64,
    /// Its process id: the kernel's word if `pid_is_certain`, else what the peer gave.
    pub(crate) pid: u32,
    pub(crate) pid_is_certain: bool,
    /// The user and the group that made its segment, from the kernel.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
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
            Self::Local(registry, index) => {
                registry.mark_ready(*index);
                registry.bell().ring_own();
            }
        }
    }
}

/// How this process waits and queues; the same for all links of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkPolicy {
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
    policy: LinkPolicy,
    /// Runs first in the threads that are started for this link.
    hook: Option<Hook>,
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
    watch: std::sync::OnceLock<Watch>,
    /// Tells whether a parent of this process made the link.
    generation: u32,
    /// For threads that must outlive a call on this link.
    own: Weak<Self>,
}

/// The segment was too small for its own geometry, which its checks exclude.
#[derive(Debug)]
pub(crate) struct BadGeometry(pub(crate) &'static str);

impl Link {
    /// Makes a link of a segment that both sides agreed on; the second part is the message lane's
    /// reading end, for this side's listener. Once for each segment: it takes all lanes.
    pub(crate) fn new(
        segment: LinkSegment,
        peer_id: u64,
        attention: Attention,
        policy: LinkPolicy,
        hook: Option<Hook>,
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
        let bell = |id| segment.bell(id).ok_or(BadGeometry("a doorbell that cannot be used"));
        let reader = inbound(&segment, replies_in)?;
        let messages = outbound(&segment, messages_out, policy)?;
        let replies = outbound(&segment, replies_out, policy)?;
        let messages_in = inbound(&segment, messages_in)?;
        let own_bell = bell(own_replies)?;
        let [listener_bell, room_bell, far_reply_bell] =
            [bell(BellId::ClientListener)?, bell(BellId::ClientRoom)?, bell(far_replies)?];
        let peer = peer_facts(&segment, peer_id);
        let link = Arc::new_cyclic(|own| Self {
            peer,
            policy,
            hook,
            messages,
            replies,
            calls: Calls::new(reader, own_bell),
            listener_bell,
            room_bell,
            far_reply_bell,
            attention,
            end: OnceLock::new(),
            closed: AtomicBool::new(false),
            said: Mutex::new(None),
            watch: std::sync::OnceLock::new(),
            generation: crate::os::generation::generation(),
            own: own.clone(),
            segment,
        });
        link.start_watch();
        Ok((link, messages_in))
    }

    /// Has the kernel tell the peer's death, where its pid is known from the kernel: a pid that the
    /// peer gave may be another process's in this pid namespace, and nobody would look at the peer.
    fn start_watch(self: &Arc<Self>) {
        if !self.peer.pid_is_certain {
            return;
        }
        let weak = Arc::downgrade(self);
        let watch = Watch::start(self.peer.pid, self.hook.as_ref(), move |is_certain| {
            if let Some(link) = weak.upgrade() {
                // Here, so that a listener that is busy with others finds the link ended already.
                link.find_peer_gone(is_certain && link.is_watched());
                link.wake_own_side();
                // Who waits does not wait for this.
                link.remove_stale_name();
            }
        });
        // If the signature is still the same, the process lived all the time, and its pid was not
        // another's when the watch began.
        let same = self.segment.signed_pid() == Some(self.peer.pid);
        if let Some(watch) = watch.filter(|_| same) {
            // Just made: nobody set it before.
            drop(self.watch.set(watch));
        }
    }

    pub(crate) fn peer(&self) -> PeerFacts {
        self.peer
    }

    /// How long to spin before sleeping: not at all where that would keep the peer from running.
    #[inline]
    pub(crate) fn spin_budget(&self) -> Duration {
        if self.segment.shares_processor() { Duration::ZERO } else { self.policy.spin }
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

    #[cfg(all(test, loom))]
    pub(crate) fn messages(&self) -> &Outbound {
        &self.messages
    }

    pub(crate) fn replies(&self) -> &Outbound {
        &self.replies
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

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
        // A peer may have moved who sleeps to where rings do not arrive.
        self.calls.bell().ring_own();
        self.calls.bell().ring();
        match self.segment.role() {
            Role::Client => {
                for bell in [&self.listener_bell, &self.room_bell] {
                    bell.ring_own();
                    bell.ring();
                }
            }
            Role::Server => self.attention.ask(),
        }
    }

    /// Wakes this side's own listener, for what was left to it.
    pub(crate) fn wake_listener(&self) {
        match self.segment.role() {
            Role::Client => self.listener_bell.ring(),
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
}

fn peer_facts(segment: &LinkSegment, id: u64) -> PeerFacts {
    let (told, signed) = (segment.peer(), segment.signed_pid());
    PeerFacts {
        id,
        pid: signed.unwrap_or(told.pid),
        pid_is_certain: signed.is_some(),
        uid: told.uid,
        gid: told.gid,
    }
}

fn outbound(
    segment: &LinkSegment,
    id: LaneId,
    policy: LinkPolicy,
) -> Result<Outbound, BadGeometry> {
    let options = segment.options();
    let lane = segment.lane(id).ok_or(BadGeometry("no room for a lane"))?;
    // SAFETY: `Link::new` takes each lane of its segment once, each for one end.
    let producer = unsafe { Producer::new(lane, options.checksums, options.max_message) };
    Ok(Outbound::new(id, producer, options.max_message, policy.queue_maximum))
}

fn inbound(segment: &LinkSegment, id: LaneId) -> Result<Inbound, BadGeometry> {
    let options = segment.options();
    let lane = segment.lane(id).ok_or(BadGeometry("no room for a lane"))?;
    // SAFETY: as in `outbound`.
    let consumer = unsafe { Consumer::new(lane, options.checksums) };
    Ok(Inbound::new(consumer, options.max_message))
}
