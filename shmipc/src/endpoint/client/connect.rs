//! From a name to a link: wait for the server, check what it speaks, make a link, hand it over.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::error::{ConfigError, ConnectError, Limit, Refusal};
use crate::link::inbound::Inbound;
use crate::link::{Attention, Link, LinkPolicy};
use crate::os;
use crate::os::thread::Hook;
use crate::os::wait::{self, Deadline};
use crate::ring::frame::Checksums;
use crate::segment::link::{BellId, LinkOptions, LinkSegment, memory_for};
use crate::segment::name::registry_name;
use crate::segment::registry::{OpenError, RegistryView, SlotClaim};
use crate::segment::{MAGIC, SegmentError};
use crate::typed::message::{ShmMessage, protocol};

/// Pauses between two looks for a server that is not there: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(20));
/// Sleep between two looks for the server's answer, which comes with a ring if all goes well.
const ANSWER_SLICE: Duration = Duration::from_millis(2);
/// Of a link that is there no more when it is to be handed over or kept, which cannot be.
const GIVEN_AWAY: &str = "the link was given away before it was handed over";

/// What the builder was told.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// Whose server is trusted.
    pub(super) server_uid: u32,
    pub(super) ring_size: Option<usize>,
    /// Most bytes of a link whose rings the server chooses.
    pub(super) max_link_memory: usize,
    pub(super) max_message: Option<usize>,
    pub(super) connect_deadline: Duration,
    pub(super) policy: LinkPolicy,
    pub(super) handles_events: bool,
    pub(super) hook: Option<&'a Hook>,
}

/// Why there is no link yet, or never will be.
enum AttemptError {
    /// Look again.
    Retry(RetryCause),
    Final(ConnectError),
}

/// Why to look again; what the last one was decides the error at the deadline.
enum RetryCause {
    NoServer { stale: bool },
    NotAnswering { pid: u32 },
    Truncated { length: u64, expected: u64 },
}

impl From<ConnectError> for AttemptError {
    fn from(error: ConnectError) -> Self {
        Self::Final(error)
    }
}

pub(super) fn connect<P: ShmMessage>(
    wanted: &Wanted<'_>,
) -> Result<(Arc<Link>, Inbound), ConnectError> {
    let segment_name = registry_name(wanted.name)?;
    let mut deadline = Deadline::new(wanted.connect_deadline);
    let mut pause = PAUSES.0;
    let mut died = false;
    loop {
        let cause = match attempt::<P>(wanted, &segment_name, &mut deadline) {
            Ok(link) => return Ok(link),
            Err(AttemptError::Final(error)) => return Err(error),
            // What a dead server left is removed when it is found: once.
            Err(AttemptError::Retry(RetryCause::NoServer { stale })) => {
                died |= stale;
                RetryCause::NoServer { stale: died }
            }
            Err(AttemptError::Retry(cause)) => cause,
        };
        let Some(left) = deadline.left() else {
            return Err(too_late(wanted.name, cause, deadline.waited()));
        };
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSES.1);
    }
}

fn attempt<P: ShmMessage>(
    wanted: &Wanted<'_>,
    segment_name: &str,
    deadline: &mut Deadline,
) -> Result<(Arc<Link>, Inbound), AttemptError> {
    let view = RegistryView::open(segment_name, wanted.server_uid, protocol::<P>())
        .map_err(|error| attempt_error::<P>(wanted, error))?;
    let view = Arc::new(view);
    crate::step::reach("connect.attached");
    let options = link_options::<P>(wanted, &view)?;
    let server = view.server();
    let is_own = server.uid == os::effective_uid();
    if !is_own {
        // That server can remove nothing that this user's dead clients left.
        crate::segment::sweep(wanted.hook.cloned());
    }
    let Some(slot) = view.claim_slot() else {
        return Err(AttemptError::Retry(silence(&view)));
    };
    crate::step::reach("connect.claimed");
    let system = |source| ConnectError::System { action: "get random bits", source };
    let link_id = os::random_u128().map_err(system)?;
    // Named in the slot before it exists: whatever happens, it can be found and removed.
    slot.announce(link_id);
    crate::step::reach("connect.announced");
    let segment = LinkSegment::create(link_id, options, server).map_err(|error| match error {
        // The server ended meanwhile and removed what was announced to it.
        SegmentError::Changed => AttemptError::Retry(RetryCause::NoServer { stale: true }),
        error => segment_error(wanted, error).into(),
    })?;
    let segment = NamedLink(Some(segment));
    crate::step::reach("connect.made");
    let (index, id) = hand_over(wanted.name, &view, &slot, link_id, &segment, deadline)?;
    let segment = segment.keep(wanted.name)?;
    if !is_own {
        // The server had no right to.
        segment.unlink();
    }
    drop(slot);
    let attention = Attention::Remote(view, index);
    let hook = wanted.hook.cloned();
    Link::new(segment, id, attention, wanted.policy, hook)
        .map_err(|fault| damaged(wanted.name, format!("the accepted link has {}", fault.0)).into())
}

/// Offers the link and waits for the answer: the link's index and id.
fn hand_over(
    name: &str,
    view: &RegistryView,
    slot: &SlotClaim<'_>,
    link_id: u128,
    segment: &NamedLink,
    deadline: &mut Deadline,
) -> Result<(usize, u64), AttemptError> {
    let pid = view.pid();
    let Some(link) = segment.0.as_ref() else {
        return Err(damaged(name, GIVEN_AWAY).into());
    };
    let bell = link
        .bell(BellId::ClientReplies)
        .ok_or_else(|| damaged(name, "the link's doorbell for replies cannot be used"))?;
    if !view.is_alive() {
        return Err(AttemptError::Retry(RetryCause::NoServer { stale: true }));
    }
    slot.offer();
    loop {
        let token = bell.token();
        if let Some(answer) = wait::spin(wait::default_spin(), deadline, || slot.answer(link_id)) {
            let refused = |refusal| ConnectError::Refused { name: name.into(), pid, refusal };
            answer.map_err(refused)?;
            crate::step::reach("hand-over.answered");
            let unsaid = "the server accepted the link without saying how";
            return link.accepted().ok_or_else(|| damaged(name, unsaid).into());
        }
        if !view.is_alive() {
            return Err(AttemptError::Retry(RetryCause::NoServer { stale: true }));
        }
        match deadline.left() {
            Some(left) => {
                let slept_in_vain = bell.sleep(token, left.min(ANSWER_SLICE));
                if slept_in_vain && view.is_ending() {
                    return Err(AttemptError::Retry(silence(view)));
                }
            }
            None => return Err(AttemptError::Retry(silence(view))),
        }
    }
}

/// Why a server says nothing whose lock is held: it has no time, or is dead and not gone yet.
fn silence(view: &RegistryView) -> RetryCause {
    if view.is_ending() {
        RetryCause::NoServer { stale: true }
    } else {
        RetryCause::NotAnswering { pid: view.pid() }
    }
}

/// The hand-over alone, for models.
#[cfg(all(test, loom))]
pub(crate) fn hand_over_in_memory(
    view: &RegistryView,
    slot: &SlotClaim<'_>,
    link_id: u128,
    segment: LinkSegment,
) -> Option<(usize, u64)> {
    let segment = NamedLink(Some(segment));
    hand_over("model", view, slot, link_id, &segment, &mut Deadline::never()).ok()
}

/// A link that has a name until the server took it; dropping it removes the name.
struct NamedLink(Option<LinkSegment>);

impl NamedLink {
    fn keep(mut self, name: &str) -> Result<LinkSegment, ConnectError> {
        // Taken once, here; `drop` has nothing left to do.
        self.0.take().ok_or_else(|| damaged(name, GIVEN_AWAY))
    }
}

impl Drop for NamedLink {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            link.unlink();
        }
    }
}

fn link_options<P: ShmMessage>(
    wanted: &Wanted<'_>,
    view: &RegistryView,
) -> Result<LinkOptions, ConnectError> {
    let served = view.options();
    let max_message = wanted.max_message.unwrap_or(served.max_message);
    if max_message > served.max_message {
        return Err(ConfigError::MaximumMessage {
            size: max_message,
            minimum: crate::ring::frame::HEADER_LENGTH,
            maximum: served.max_message,
        }
        .into());
    }
    let rings = [served.message_ring, served.reply_ring];
    let [message_ring, reply_ring] = rings.map(|ring| wanted.ring_size.unwrap_or(ring));
    let (needed, maximum) = (memory_for(message_ring, reply_ring), wanted.max_link_memory);
    // Whoever may write the registry could ask for gibibytes.
    if wanted.ring_size.is_none() && needed > maximum {
        return Err(ConnectError::LinkMemory { name: wanted.name.into(), needed, maximum });
    }
    Ok(LinkOptions {
        doorbell: served.doorbell,
        checksums: if served.checksums { Checksums::On } else { Checksums::Off },
        handles_events: wanted.handles_events,
        message_ring,
        reply_ring,
        max_message,
        fingerprint: P::FINGERPRINT,
    })
}

fn attempt_error<P: ShmMessage>(wanted: &Wanted<'_>, error: OpenError) -> AttemptError {
    let name = wanted.name.to_owned();
    AttemptError::Final(match error {
        OpenError::Missing if !os::has_shared_memory() => ConnectError::Limit {
            action: "look for the server",
            limit: Limit::SharedMemory,
            source: std::io::ErrorKind::NotFound.into(),
        },
        OpenError::Missing => return AttemptError::Retry(RetryCause::NoServer { stale: false }),
        OpenError::Stale => return AttemptError::Retry(RetryCause::NoServer { stale: true }),
        // Empty: a server may just be making it.
        OpenError::Segment(SegmentError::Truncated { length: 0, expected }) => {
            return AttemptError::Retry(RetryCause::Truncated { length: 0, expected });
        }
        OpenError::Segment(error) => segment_error(wanted, error),
        OpenError::NotAdmitted => {
            ConnectError::Refused { name, pid: 0, refusal: Refusal::NotAdmitted }
        }
        OpenError::NotOurs { found } => ConnectError::NotOurs { name, found, expected: MAGIC },
        OpenError::LayoutVersion { found } => {
            ConnectError::LayoutVersion { name, found, expected: crate::segment::LAYOUT_VERSION }
        }
        OpenError::OtherProtocol { found } => {
            ConnectError::OtherProtocol { name, found, expected: P::NAME.into() }
        }
        OpenError::OtherVersion { differences } => {
            ConnectError::OtherVersion { name, protocol: P::NAME.into(), differences }
        }
        OpenError::Damaged { what } => ConnectError::Damaged { name, what },
    })
}

fn segment_error(wanted: &Wanted<'_>, error: SegmentError) -> ConnectError {
    let name = wanted.name.to_owned();
    match error {
        SegmentError::OtherUser { uid } => {
            let (own_uid, trusted_uid) = (os::effective_uid(), wanted.server_uid);
            ConnectError::OtherUser { name, uid, trusted_uid, own_uid }
        }
        SegmentError::Truncated { length, expected } => {
            ConnectError::Truncated { name, length, expected }
        }
        SegmentError::NoRoom { needed, available } => ConnectError::NoRoom { needed, available },
        SegmentError::System { action, source } => match Limit::of(&source) {
            Some(limit) => ConnectError::Limit { action, limit, source },
            None => ConnectError::System { action, source },
        },
        // The last two are links' alone, and only their servers ask.
        SegmentError::Missing
        | SegmentError::Exists
        | SegmentError::Changed
        | SegmentError::OpenToOthers { .. }
        | SegmentError::Unreserved { .. } => {
            ConnectError::Damaged { name, what: "a segment that changes under its name".into() }
        }
    }
}

fn damaged(name: &str, what: impl Into<String>) -> ConnectError {
    ConnectError::Damaged { name: name.into(), what: what.into() }
}

fn too_late(name: &str, cause: RetryCause, waited: Duration) -> ConnectError {
    let name = name.to_owned();
    match cause {
        RetryCause::NoServer { stale } => ConnectError::NoServer { name, waited, stale },
        RetryCause::NotAnswering { pid } => ConnectError::NotAnswering { name, pid, waited },
        RetryCause::Truncated { length, expected } => {
            ConnectError::Truncated { name, length, expected }
        }
    }
}
