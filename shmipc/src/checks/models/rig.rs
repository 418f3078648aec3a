//! A client and a server over private memory, and the protocol that they speak.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::DecodeError;
use crate::link::inbound::Inbound;
use crate::link::responder::{Responded, Responder};
use crate::link::{Attention, Link, LinkPolicy};
use crate::ring::frame::Checksums;
use crate::segment::doorbell::Doorbell;
use crate::segment::link::{LinkOptions, LinkSegment};
use crate::segment::registry::{self, Registry};
use crate::typed::dispatch::{FnService, Service};
use crate::typed::message::{NoEvents, ShmMessage, Variant};

/// No deadline: in a model no time passes.
pub(super) const NEVER: Duration = Duration::MAX;

/// Two lines: room for one frame.
pub(super) const ONE_FRAME: usize = 128;
/// Four lines.
pub(super) const THREE_FRAMES: usize = 256;

/// A request with a number, answered with the next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Count(pub(super) u64);

impl ShmMessage for Count {
    type Borrowed<'m> = Self;
    type Events = NoEvents;
    type Reply = u64;
    const NAME: &'static str = "Count";
    const OWN_FINGERPRINT: u64 = 1;
    const VARIANTS: &'static [Variant] = &[Variant::new("Count", 1, Some("u64"))];

    fn variant_index(_: &Self) -> u32 {
        0
    }

    fn decode_reply(_: u32, bytes: &[u8]) -> Result<u64, DecodeError> {
        crate::codec::decode(bytes)
    }

    fn respond(reply: u64, _: u32, responder: Responder<'_>) -> Responded {
        responder.reply(&reply)
    }
}

/// Answers each number with the next, and calls `ran` with it before.
pub(super) fn counting(ran: impl Fn(u64) + Send + 'static) -> Box<dyn Service<Count>> {
    Box::new(FnService(move |_: &crate::Context<Count>, Count(number): Count| {
        ran(number);
        number + 1
    }))
}

pub(super) const POLICY: LinkPolicy =
    LinkPolicy { spin: Duration::ZERO, queue_maximum: 1 << 20, close_when_full: false };

pub(super) fn options(message_ring: usize, reply_ring: usize) -> LinkOptions {
    LinkOptions {
        doorbell: Doorbell::Futex,
        checksums: Checksums::On,
        handles_events: true,
        message_ring,
        reply_ring,
        max_message: 1024,
        fingerprint: 1,
    }
}

/// A linked pair; the server's link still has to be made.
pub(super) struct Rig {
    pub(super) client: Arc<Link>,
    pub(super) events: Inbound,
    pub(super) registry: Registry,
    pub(super) segment: LinkSegment,
}

pub(super) fn rig(message_ring: usize, reply_ring: usize) -> Rig {
    let [client, segment] = LinkSegment::in_memory(options(message_ring, reply_ring));
    let (registry, view) = registry::in_memory();
    let attention = Attention::Remote(Arc::new(view), 0);
    let (client, events) = Link::new(client, 1, attention, POLICY, None).expect("geometry");
    Rig { client, events, registry, segment }
}

/// The server's side without a listener.
pub(super) fn server_link(registry: &Arc<Registry>, segment: LinkSegment) -> (Arc<Link>, Inbound) {
    let attention = Attention::Local(registry.clone(), 0);
    Link::new(segment, 1, attention, POLICY, None).expect("geometry")
}

/// Calls over a client's link.
pub(super) fn call(client: &Link, number: u64) -> Result<u64, crate::CallError> {
    client.call(&Count(number), NEVER, |bytes| crate::codec::decode(bytes))
}
