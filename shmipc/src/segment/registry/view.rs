//! The client's side of a registry: staged attach, checks, and the hand-over.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::memory::{
    ANSWER_ACCEPTED, FLAG_CHECKSUMS, HAND_OVER_BIT, REQUEST_CLAIMED, REQUEST_NONE, REQUEST_READY,
    RegistryMemory, SCHEMA_OFFSET, Slot, join, split,
};
use super::ready::{mark_ready, summon};
use super::schema::{MAXIMUM_SCHEMA, Protocol, RegistryOptions, Schema};
use super::stale::{remove_link_name, remove_stale_mapping};
use crate::codec;
use crate::error::{Difference, Refusal};
use crate::os;
use crate::os::liveness::{self, FIRST_SLOT_BYTE, SERVER_BYTE};
use crate::ring::{MAXIMUM_CAPACITY, MINIMUM_CAPACITY};
use crate::segment::doorbell::{Bell, Doorbell};
use crate::segment::error::SegmentError;
use crate::segment::layout::{LAYOUT_VERSION, MAGIC, constant};
use crate::segment::link::ServerIdentity;
use crate::segment::mapping::{Mapping, of_user};
use crate::segment::options;
use crate::sync::{AtomicU64, Fault, Ordering, broken, fence};

/// Why there is no server to hand a link to.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// No such name, or not ready yet: try again.
    Missing,
    /// A dead server's: try again, a new one takes it over.
    Stale,
    /// The segment could not be attached.
    Segment(SegmentError),
    /// The server's segment is closed to this user.
    NotAdmitted,
    /// Not made by this library.
    NotOurs { found: u64 },
    /// Made by another version of it.
    LayoutVersion { found: u32 },
    /// Another protocol.
    OtherProtocol { found: String },
    /// Another version of the protocol.
    OtherVersion { differences: Vec<Difference> },
    /// What no correct server writes.
    Damaged { what: String },
}

/// A registry as a client has it.
pub(crate) struct RegistryView {
    mapping: Arc<Mapping>,
    memory: NonNull<RegistryMemory>,
    bell: Bell,
    options: RegistryOptions,
    pid: u32,
    /// Whether a thread has begun to clean up after the dead server.
    cleaned_up: AtomicBool,
}

// SAFETY: `memory` leads into `mapping`, and all of it is atomics.
unsafe impl Send for RegistryView {}
// SAFETY: as above.
unsafe impl Sync for RegistryView {}

impl RegistryView {
    /// Attaches in stages and checks that the server speaks this protocol.
    pub(crate) fn open(
        segment_name: &str,
        trusted_uid: u32,
        protocol: Protocol,
    ) -> Result<Self, OpenError> {
        let mapping = Arc::new(attach(segment_name, trusted_uid)?);
        let missing = OpenError::Missing;
        let memory = mapping.place::<RegistryMemory>(0).ok_or(missing)?;
        // SAFETY: `place` checked the bounds; all atomics, so any content is a value.
        let words = unsafe { memory.as_ref() };
        let facts = mapping.facts();
        if facts.mode & 0o007 != 0 {
            let what = "everybody may write it, which no server of this library allows".into();
            return Err(OpenError::Damaged { what });
        }
        if facts.links != 1 && facts.uid != os::effective_uid() {
            let what = "it has a second name, which may be another server's: somebody who is \
                        admitted to it may have given it";
            return Err(OpenError::Damaged { what: what.into() });
        }
        check_stage(&mapping, words)?;
        check_protocol(&mapping, words, protocol)?;
        let options = read_options(words)?;
        // Where others than its own user may connect, a server rings by futex: the system's own
        // code must not run on memory that another user can write, whoever made it.
        let is_closed = facts.uid == os::effective_uid() && facts.mode & 0o077 == 0;
        if options.doorbell == Doorbell::Event && !is_closed {
            return Err(OpenError::NotAdmitted);
        }
        // SAFETY: a field of the memory checked above; if it is an event, its owner is this user,
        // and such a server admits no other.
        let bell =
            unsafe { Bell::attach(NonNull::from(&words.bell), options.doorbell, mapping.clone()) };
        let bell =
            bell.ok_or_else(|| OpenError::Damaged { what: "a doorbell that is none".into() })?;
        let pid = words.pid.load(Ordering::Relaxed);
        Ok(Self { mapping, memory, bell, options, pid, cleaned_up: AtomicBool::new(false) })
    }

    #[cfg(loom)]
    pub(super) fn in_memory(
        mapping: Arc<Mapping>,
        memory: NonNull<RegistryMemory>,
        bell: Bell,
        options: RegistryOptions,
    ) -> Self {
        let pid = std::process::id();
        Self { mapping, memory, bell, options, pid, cleaned_up: AtomicBool::new(false) }
    }

    fn memory(&self) -> &RegistryMemory {
        // SAFETY: inside `mapping` (checked by `place` in `open`), all atomics.
        unsafe { self.memory.as_ref() }
    }

    /// What the server told.
    pub(crate) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// The server's process id as it gave it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The server as the link is to know it.
    pub(crate) fn server(&self) -> ServerIdentity {
        let facts = self.mapping.facts();
        let group = self.memory().admitted_group.load(Ordering::Relaxed).checked_sub(1);
        ServerIdentity {
            pid: self.pid,
            uid: facts.uid,
            gid: facts.gid,
            admitted_group: group.and_then(|gid| u32::try_from(gid).ok()),
        }
    }

    /// Does the server live?
    pub(crate) fn is_alive(&self) -> bool {
        liveness::is_alive(self.mapping.file(), SERVER_BYTE)
    }

    /// Is the server's process, by the pid that it gave, past its last instruction? A hint: what is
    /// told to the user by it, and when to look for another server. The pid may be of another
    /// pid namespace: where a process that happens to have it here is just ending, a connect
    /// begins anew, and an error at its deadline calls the server dead.
    pub(crate) fn is_ending(&self) -> bool {
        os::open_pidfd(self.pid).is_ok_and(|pidfd| os::is_ending(&pidfd))
    }

    /// Has the server's listener look at a link. For who published in a lane that the listener
    /// waits on.
    pub(crate) fn mark_ready(&self, index: usize) {
        mark_ready(self.memory(), &self.bell, index);
    }

    /// Removes the name if its server is dead, with the names of links that were being handed over:
    /// nobody may ever bind it again. The first thread does it: the lock under which it is done is
    /// the descriptor's, which all of them have, and keeps only other processes out.
    pub(crate) fn remove_if_stale(&self) {
        if !self.cleaned_up.swap(true, Ordering::Relaxed) {
            remove_stale_mapping(&self.mapping);
        }
    }

    /// Claims a free hand-over slot; `None` if all are in use.
    pub(crate) fn claim_slot(&self) -> Option<SlotClaim<'_>> {
        let slots = self.memory().slots.iter().enumerate();
        for (index, slot) in slots {
            let byte = FIRST_SLOT_BYTE + index as i64;
            if liveness::claim(self.mapping.file(), byte).unwrap_or(false) {
                // Its last claimer may have died here.
                remove_link_name(slot);
                slot.request.store(REQUEST_NONE, Ordering::Relaxed);
                return Some(SlotClaim { view: self, slot, byte });
            }
        }
        None
    }
}

/// A hand-over slot while this client holds it. Dropping it frees it.
#[must_use = "a slot that is dropped is given back"]
pub(crate) struct SlotClaim<'a> {
    view: &'a RegistryView,
    slot: &'a Slot,
    byte: i64,
}

impl SlotClaim<'_> {
    /// Tells the link's id, before the link is made: whatever happens from here on, its name can be
    /// found and removed.
    pub(crate) fn announce(&self, link_id: u128) {
        split(link_id, &self.slot.link);
        // SYNC(slot): the id comes before it.
        self.slot.request.store(REQUEST_CLAIMED, Ordering::Release);
    }

    /// Offers the announced link to the server.
    pub(crate) fn offer(&self) {
        if broken(Fault::OfferedEarly) {
            summon(self.view.memory(), &self.view.bell, HAND_OVER_BIT);
            self.slot.request.store(REQUEST_READY, Ordering::Release);
            return;
        }
        // SYNC(slot): the link's id comes before it.
        self.slot.request.store(REQUEST_READY, Ordering::Release);
        crate::step::reach("hand-over.offered");
        summon(self.view.memory(), &self.view.bell, HAND_OVER_BIT);
    }

    /// The server's answer to `link_id`, if it gave one.
    pub(crate) fn answer(&self, link_id: u128) -> Option<Result<(), Refusal>> {
        if join(&self.slot.answered) != link_id {
            return None;
        }
        // SYNC(answer): written before the id that was just found.
        fence(Ordering::Acquire);
        Some(match self.slot.answer.load(Ordering::Relaxed) {
            ANSWER_ACCEPTED => Ok(()),
            code => Err(Refusal::from_code(code)),
        })
    }
}

impl Drop for SlotClaim<'_> {
    fn drop(&mut self) {
        // SYNC(slot)
        self.slot.request.store(REQUEST_NONE, Ordering::Release);
        liveness::release(self.view.mapping.file(), self.byte);
    }
}

fn attach(segment_name: &str, trusted_uid: u32) -> Result<Mapping, OpenError> {
    match Mapping::open(segment_name, size_of::<RegistryMemory>(), of_user(trusted_uid)) {
        Ok(mapping) => Ok(mapping),
        // The right one, and closed to this user.
        Err(SegmentError::OtherUser { uid }) if uid == trusted_uid => Err(OpenError::NotAdmitted),
        // Without room, and not reserved yet: its server is just about to find that out.
        Err(SegmentError::Missing | SegmentError::Changed | SegmentError::NoRoom { .. }) => {
            Err(OpenError::Missing)
        }
        Err(other) => Err(OpenError::Segment(other)),
    }
}

/// Ours, of our layout, of the length it tells, with a living server?
fn check_stage(mapping: &Mapping, words: &RegistryMemory) -> Result<(), OpenError> {
    // SYNC(registry-ready): everything that the server wrote before the version.
    let version = words.layout_version.load(Ordering::Acquire);
    let magic = words.magic.load(Ordering::Relaxed);
    if magic != 0 && magic != MAGIC {
        return Err(OpenError::NotOurs { found: magic });
    }
    if !liveness::is_alive(mapping.file(), SERVER_BYTE) {
        remove_stale_mapping(mapping);
        return Err(OpenError::Stale);
    }
    if magic == 0 || version == 0 {
        return Err(OpenError::Missing);
    }
    if version != LAYOUT_VERSION {
        return Err(OpenError::LayoutVersion { found: version });
    }
    let (length, expected) = (mapping.length() as u64, constant(&words.length));
    if length != expected {
        return Err(OpenError::Segment(SegmentError::Truncated { length, expected }));
    }
    Ok(())
}

fn check_protocol(
    mapping: &Mapping,
    words: &RegistryMemory,
    protocol: Protocol,
) -> Result<(), OpenError> {
    let found = read_schema(mapping, words)?;
    let ours = (protocol.schema)();
    if found.protocol != ours.protocol {
        return Err(OpenError::OtherProtocol { found: found.protocol });
    }
    if constant(&words.fingerprint) == protocol.fingerprint {
        return Ok(());
    }
    let mut differences = differences(&ours.variants, &found.variants);
    if ours.events != found.events || ours.event_variants != found.event_variants {
        differences.push(Difference::Events {
            enum_name: ours.events.clone(),
            differences: self::differences(&ours.event_variants, &found.event_variants),
        });
    }
    if differences.is_empty() {
        differences.push(Difference::Attributes);
    }
    Err(OpenError::OtherVersion { differences })
}

fn read_schema(mapping: &Mapping, words: &RegistryMemory) -> Result<Schema, OpenError> {
    let damaged = |what: String| OpenError::Damaged { what };
    let length = words.schema_length.load(Ordering::Relaxed) as usize;
    if length > MAXIMUM_SCHEMA {
        return Err(damaged(format!(
            "a schema of {length} bytes, at most {MAXIMUM_SCHEMA} can be"
        )));
    }
    let Some(place) = mapping.bytes(SCHEMA_OFFSET, length) else {
        return Err(damaged(format!("a schema of {length} bytes, longer than the segment")));
    };
    mapping.reserve_first(SCHEMA_OFFSET + length).map_err(OpenError::Segment)?;
    let mut bytes = vec![0; length];
    // SAFETY: `length` bytes from there on lie inside the mapping (checked by `bytes`), and the
    // vector has as many.
    unsafe { place.read(bytes.as_mut_ptr(), length) };
    codec::decode(&bytes).map_err(|error| damaged(format!("a schema that cannot be read: {error}")))
}

fn read_options(words: &RegistryMemory) -> Result<RegistryOptions, OpenError> {
    let damaged = |what: String| OpenError::Damaged { what };
    let number = words.doorbell.load(Ordering::Relaxed);
    let doorbell = Doorbell::from_u32(number)
        .ok_or_else(|| damaged(format!("doorbell kind {number}, which does not exist")))?;
    let ring = |word: &AtomicU64| {
        let size = constant(word) as usize;
        let fits = size.is_power_of_two() && (MINIMUM_CAPACITY..=MAXIMUM_CAPACITY).contains(&size);
        if fits { Ok(size) } else { Err(damaged(format!("a ring size of {size} bytes"))) }
    };
    let max_message = usize::try_from(constant(&words.max_message)).unwrap_or(usize::MAX);
    if options::check_max_message(max_message).is_err() {
        return Err(damaged(format!("a largest message of {max_message} bytes")));
    }
    Ok(RegistryOptions {
        doorbell,
        checksums: words.flags.load(Ordering::Relaxed) & FLAG_CHECKSUMS != 0,
        max_message,
        message_ring: ring(&words.message_ring)?,
        reply_ring: ring(&words.reply_ring)?,
        max_links: words.max_links.load(Ordering::Relaxed) as usize,
    })
}

/// Where two lists of variants differ.
fn differences(ours: &[(String, u64)], found: &[(String, u64)]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, fingerprint) in ours {
        match found.iter().find(|(other, _)| other == name) {
            None => differences.push(Difference::OnlyHere(name.clone())),
            Some((_, other)) if other != fingerprint => {
                differences.push(Difference::Changed(name.clone()));
            }
            Some(_) => {}
        }
    }
    for (name, _) in found {
        if !ours.iter().any(|(other, _)| other == name) {
            differences.push(Difference::OnlyServer(name.clone()));
        }
    }
    if differences.is_empty() && ours != found {
        differences.push(Difference::Order);
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter().map(|(name, fingerprint)| ((*name).into(), *fingerprint)).collect()
    }

    #[test]
    fn differences_name_the_variants() {
        let ours = variants(&[("Note", 1), ("Count", 2), ("New", 3)]);
        let theirs = variants(&[("Note", 1), ("Count", 9), ("Old", 4)]);
        assert_eq!(
            differences(&ours, &theirs),
            [
                Difference::Changed("Count".into()),
                Difference::OnlyHere("New".into()),
                Difference::OnlyServer("Old".into()),
            ]
        );
        assert_eq!(
            differences(&variants(&[("A", 1), ("B", 2)]), &variants(&[("B", 2), ("A", 1)])),
            [Difference::Order]
        );
        assert_eq!(differences(&ours, &ours), []);
    }
}
