//! The link: one client's connection. Made by the client, opened by the server, then nameless.

mod memory;
#[cfg(loom)]
mod modelled;

use std::ptr::NonNull;
use std::sync::Arc;

use super::error::SegmentError;
use super::layout::{LAYOUT_VERSION, MAGIC, PAGE, constant};
use super::mapping::{Candidate, Mapping};
use crate::os::FileFacts;
use crate::os::liveness::{
    self, CLIENT_PID_BYTE, LINK_CLIENT_BYTE, LINK_SERVER_BYTE, SERVER_PID_BYTE,
};
use crate::ring::Lane;
#[cfg(not(loom))]
use crate::ring::foreign::Place;
use crate::ring::frame::Checksums;
use crate::segment::doorbell::Bell;
use crate::segment::name::link_name;
use crate::sync::{AtomicU32, Ordering};
use memory::{FLAG_CHECKSUMS, FLAG_HANDLES_EVENTS, LinkMemory, read_options};
pub(crate) use memory::{LinkOptions, memory_for};

/// Which end of a link this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// A link's lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneId {
    /// Notices and requests of the client.
    MessagesToServer = 0,
    /// Events and requests of the server.
    MessagesToClient = 1,
    /// The server's replies.
    RepliesToClient = 2,
    /// The client's replies.
    RepliesToServer = 3,
}

/// Who sleeps on which of a link's doorbells. The server's listener sleeps on its registry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BellId {
    /// The client's callers, for replies.
    ClientReplies = 0,
    /// The client's listener.
    ClientListener = 1,
    /// The client's senders, for room.
    ClientRoom = 2,
    /// The server's callers, for replies.
    ServerReplies = 3,
}

/// Why a link could not be taken on.
#[derive(Debug)]
pub(crate) enum LinkFault {
    Segment(SegmentError),
    /// More bytes than the server allows for one.
    TooLarge {
        length: usize,
        maximum: usize,
    },
    /// What no correct client writes.
    Damaged(&'static str),
}

impl std::fmt::Display for LinkFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Segment(error) => error.fmt(f),
            Self::TooLarge { length, maximum } => {
                write!(f, "its link takes {length} bytes, `max_link_memory` is {maximum}")
            }
            Self::Damaged(what) => write!(f, "its link has {what}"),
        }
    }
}

/// Whom a client offers its link to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerIdentity {
    /// As it gave it.
    pub(crate) pid: u32,
    /// The registry's owner and group, from the kernel.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whose members it admits.
    pub(crate) admitted_group: Option<u32>,
}

/// Who is on the other side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerIdentity {
    /// As it gave it.
    pub(crate) pid: u32,
    /// The owner and the group of the segment that it made, from the kernel: the link if it is the
    /// client, the registry if it is the server.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A link's segment as one side has it. Dropping it releases this side's lock: after that the peer
/// finds it gone.
pub(crate) struct LinkSegment {
    mapping: Arc<Mapping>,
    memory: NonNull<LinkMemory>,
    role: Role,
    /// Checked once, then private.
    options: LinkOptions,
    peer: PeerIdentity,
}

// SAFETY: `memory` leads into `mapping`; its words are atomics, its rings go through `Lane`.
unsafe impl Send for LinkSegment {}
// SAFETY: as above.
unsafe impl Sync for LinkSegment {}

impl LinkSegment {
    /// Makes a link. The client's side.
    pub(crate) fn create(
        id: u128,
        options: LinkOptions,
        server: ServerIdentity,
    ) -> Result<Self, SegmentError> {
        let made = Mapping::create(&link_name(id), options.segment_length(), LINK_CLIENT_BYTE)
            .and_then(|mapping| {
                let_in(&mapping, server)?;
                let ServerIdentity { pid, uid, gid, .. } = server;
                Self::prepare(mapping, options, PeerIdentity { pid, uid, gid })
            });
        if made.is_err() {
            drop(crate::os::unlink_shm(&link_name(id)));
        }
        made
    }

    fn prepare(
        mapping: Mapping,
        options: LinkOptions,
        peer: PeerIdentity,
    ) -> Result<Self, SegmentError> {
        let unsupported =
            || SegmentError::system("prepare a link's doorbells", std::io::ErrorKind::Unsupported);
        let mapping = Arc::new(mapping);
        let memory = mapping.place::<LinkMemory>(0).ok_or_else(unsupported)?;
        let link = Self { mapping, memory, role: Role::Client, options, peer };
        for bell in &link.memory().bells {
            // SAFETY: fresh, zeroed; nobody uses it before the version is published below.
            if !unsafe { Bell::initialise(NonNull::from(bell), options.doorbell) } {
                return Err(unsupported());
            }
        }
        // The last thing before it is published: whoever finds the link finds who made it.
        liveness::sign(link.mapping.file(), CLIENT_PID_BYTE);
        link.publish();
        Ok(link)
    }

    fn publish(&self) {
        let (memory, options) = (self.memory(), &self.options);
        let relaxed = Ordering::Relaxed;
        let checksums = if options.checksums == Checksums::On { FLAG_CHECKSUMS } else { 0 };
        let events = if options.handles_events { FLAG_HANDLES_EVENTS } else { 0 };
        memory.doorbell.store(options.doorbell.to_u32(), relaxed);
        memory.length.store(options.segment_length() as u64, relaxed);
        memory.fingerprint.store(options.fingerprint, relaxed);
        memory.message_ring.store(options.message_ring as u64, relaxed);
        memory.reply_ring.store(options.reply_ring as u64, relaxed);
        memory.max_message.store(options.max_message as u64, relaxed);
        memory.client_pid.store(std::process::id(), relaxed);
        memory.flags.store(checksums | events, relaxed);
        memory.magic.store(MAGIC, relaxed);
        // SYNC(link-ready): all of the above comes before it.
        memory.layout_version.store(LAYOUT_VERSION, Ordering::Release);
    }

    /// Opens a link that a client offers, takes the server's lock on it, and removes its name.
    ///
    /// `admits` says whether the server takes a link of who made this one; `fits`, whether it takes
    /// one of these options. Its memory is its client's to reserve: whoever offers a link without
    /// any would have the server do that work, and wait for it.
    pub(crate) fn open(
        id: u128,
        admits: impl Fn(&Candidate<'_>) -> Result<(), SegmentError>,
        fits: impl Fn(&LinkOptions) -> Result<(), LinkFault>,
    ) -> Result<Self, LinkFault> {
        #[cfg(loom)]
        if let Some(link) = Self::take_offered(id) {
            return Ok(link);
        }
        let name = link_name(id);
        let is_reserved = |candidate: &Candidate<'_>| {
            admits(candidate)?;
            let FileFacts { reserved, length, .. } = *candidate.facts;
            let reserves = reserved >= length;
            if reserves { Ok(()) } else { Err(SegmentError::Unreserved { reserved, length }) }
        };
        let mapping = Mapping::open(&name, PAGE, is_reserved).map_err(LinkFault::Segment)?;
        let memory = mapping.place::<LinkMemory>(0).ok_or(LinkFault::Damaged("no header"))?;
        // SAFETY: `place` checked the bounds; all atomics, so any content is a value.
        let words = unsafe { memory.as_ref() };
        let options = read_options(words)?;
        let length = mapping.length();
        if length != options.segment_length() || constant(&words.length) != length as u64 {
            return Err(LinkFault::Damaged("a length that is not its geometry's"));
        }
        fits(&options)?;
        crate::step::reach("hand-over.opened");
        let locked = liveness::claim(mapping.file(), LINK_SERVER_BYTE).unwrap_or(false);
        if !locked || !liveness::is_alive(mapping.file(), LINK_CLIENT_BYTE) {
            return Err(LinkFault::Damaged("a client that is gone or a link that is taken"));
        }
        crate::step::reach("hand-over.locked");
        let pid = words.client_pid.load(Ordering::Relaxed);
        let FileFacts { uid, gid, .. } = *mapping.facts();
        // Another user's file cannot be removed from here: its client does it (`connect`).
        mapping.unlink();
        liveness::sign(mapping.file(), SERVER_PID_BYTE);
        let (mapping, peer) = (Arc::new(mapping), PeerIdentity { pid, uid, gid });
        Ok(Self { mapping, memory, role: Role::Server, options, peer })
    }

    fn memory(&self) -> &LinkMemory {
        // SAFETY: inside `mapping` (checked by `place`), all atomics.
        unsafe { self.memory.as_ref() }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn options(&self) -> &LinkOptions {
        &self.options
    }

    /// Who is on the other side.
    pub(crate) fn peer(&self) -> PeerIdentity {
        self.peer
    }

    /// The other side's process id as the kernel tells it, in this process's pid namespace. `None`
    /// where it has none there, or where both sides are this very process. To be asked once the
    /// link was handed over; it may be forgotten later.
    pub(crate) fn signed_pid(&self) -> Option<u32> {
        let byte = match self.role {
            Role::Client => SERVER_PID_BYTE,
            Role::Server => CLIENT_PID_BYTE,
        };
        liveness::signer(self.mapping.file(), byte)
    }

    /// Where a lane lies. Each process makes at most one producer or one consumer of each.
    pub(crate) fn lane(&self, id: LaneId) -> Option<Lane> {
        let control = NonNull::from(self.memory().lanes.get(id as usize)?);
        let capacity = self.options.ring(id);
        let data = self.ring(id, capacity)?;
        // SAFETY: control words and `capacity` bytes lie inside the mapping, which is the owner and
        // page-aligned, as are the offsets: a page and whole rings of 4 KiB at least;
        // the capacity was checked by `read_options` or by the builder. That there is one producer
        // and one consumer is up to `link::Link`, the only caller.
        Some(unsafe { Lane::new(control, data, capacity, self.mapping.clone()) })
    }

    #[cfg(not(loom))]
    fn ring(&self, id: LaneId, capacity: usize) -> Option<Place> {
        // Inside the mapping: `segment_length` was made or checked so.
        self.mapping.bytes(self.options.ring_offset(id), capacity)
    }

    /// One of the link's doorbells.
    pub(crate) fn bell(&self, id: BellId) -> Option<Bell> {
        let memory = NonNull::from(self.memory().bells.get(id as usize)?);
        // SAFETY: prepared by `prepare` before the link was published; the mapping is the owner.
        // For events the server takes a link only if it chose them itself (`fits` in the
        // listener's `take_on`).
        unsafe { Bell::attach(memory, self.options.doorbell, self.mapping.clone()) }
    }

    /// Does the other side live, as far as the kernel knows?
    pub(crate) fn peer_is_alive(&self) -> bool {
        let byte = match self.role {
            Role::Client => LINK_SERVER_BYTE,
            Role::Server => LINK_CLIENT_BYTE,
        };
        liveness::is_alive(self.mapping.file(), byte)
    }

    /// The server tells the client that it took the link, and under which index it wants it marked.
    pub(crate) fn accept(&self, index: usize, id: u64) {
        let server = &self.memory().server;
        server.index.store(index as u32, Ordering::Relaxed);
        server.id.store(id, Ordering::Relaxed);
        server.pid.store(std::process::id(), Ordering::Relaxed);
        // SYNC(accepted): index and id come before it.
        server.accepted.store(1, Ordering::Release);
    }

    /// What [`accept`](Self::accept) told: index and id.
    pub(crate) fn accepted(&self) -> Option<(usize, u64)> {
        let server = &self.memory().server;
        // SYNC(accepted): index and id were written before it.
        let accepted = server.accepted.load(Ordering::Acquire) == 1;
        accepted.then(|| {
            (server.index.load(Ordering::Relaxed) as usize, server.id.load(Ordering::Relaxed))
        })
    }

    /// Says for good why this side ends the link; zero is no reason.
    pub(crate) fn say_goodbye(&self, code: u32) {
        // SYNC(goodbye): everything that this side published comes before it.
        self.own_goodbye().store(code, Ordering::Release);
    }

    /// Why the other side ended the link; zero: it did not.
    #[inline]
    pub(crate) fn peer_goodbye(&self) -> u32 {
        let word = match self.role {
            Role::Client => &self.memory().server.goodbye,
            Role::Server => &self.memory().client.goodbye,
        };
        // SYNC(goodbye): what the peer published before it is visible after this.
        word.load(Ordering::Acquire)
    }

    fn own_goodbye(&self) -> &AtomicU32 {
        match self.role {
            Role::Client => &self.memory().client.goodbye,
            Role::Server => &self.memory().server.goodbye,
        }
    }

    /// Tells the other side on which processor this one waits, and whether the other side last
    /// waited on the very same: then spinning would only keep it from running. A hint: both may
    /// have moved since.
    #[inline]
    pub(crate) fn shares_processor(&self) -> bool {
        let Some(cpu) = crate::os::current_cpu() else { return false };
        // Zero is "not told yet".
        let cpu = cpu.wrapping_add(1);
        let (client, server) = (&self.memory().client.cpu, &self.memory().server.cpu);
        let (own, peer) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        if own.load(Ordering::Relaxed) != cpu {
            own.store(cpu, Ordering::Relaxed);
        }
        peer.load(Ordering::Relaxed) == cpu
    }

    /// Removes the link's name, where no server has done so.
    pub(crate) fn unlink(&self) {
        self.mapping.unlink();
    }
}

/// Lets the server's user open the link, and shows that its maker belongs to the admitted group.
fn let_in(mapping: &Mapping, server: ServerIdentity) -> Result<(), SegmentError> {
    if server.uid == crate::os::effective_uid() {
        return Ok(());
    }
    if let Some(gid) = server.admitted_group {
        // Who is no member is refused by the server, which sees it.
        drop(mapping.set_group(gid));
    }
    mapping.admit(&[server.uid], None)
}
