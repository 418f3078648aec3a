//! The server's side of a registry: taking the name, being found, taking links on.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::admission::Admission;
use crate::codec;
use crate::doorbell::{Bell, Doorbell};
use crate::error::{BindError, Refusal};
use crate::liveness::{self, FIRST_SLOT_BYTE, SERVER_BYTE};
use crate::name::{link_name, registry_name};
use crate::segment::{self, LAYOUT_VERSION, MAGIC, Mapping, PAGE, SegmentError};
use crate::sync::{Fault, Ordering, broken, fence};
use crate::sys;

/// How long several processes that bind one name at the same time may get in each other's way.
const BIND_PATIENCE: Duration = Duration::from_secs(2);

/// Tries to take the lock of a name before it counts as served.
const CLAIM_LOOKS: u32 = 4;

/// What a server tells its clients in its registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegistryOptions {
    pub(crate) doorbell: Doorbell,
    pub(crate) checksums: bool,
    pub(crate) max_message: usize,
    pub(crate) message_ring: usize,
    pub(crate) reply_ring: usize,
    pub(crate) max_links: usize,
}

/// A registry as its server has it. Dropping it gives the name free.
pub(crate) struct Registry {
    mapping: Arc<Mapping>,
    memory: NonNull<RegistryMemory>,
    bell: Bell,
    told: Told,
    released: std::sync::atomic::AtomicBool,
}

/// What a registry tells its clients, as its server knows it: the shared copy can be written by any of
/// them.
struct Told {
    options: RegistryOptions,
    fingerprint: u64,
    generation: u64,
    admitted_group: u64,
    schema: Vec<u8>,
}

// SAFETY: `memory` leads into `mapping`, and all of it is atomics.
unsafe impl Send for Registry {}
// SAFETY: as above.
unsafe impl Sync for Registry {}

/// A link that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    slot: usize,
    pub(crate) link_id: u128,
}

impl Registry {
    /// Takes the name: makes the registry, or takes over what a dead server left.
    pub(crate) fn bind<P: ShmMessage>(
        name: &str,
        options: &RegistryOptions,
        admission: &Admission,
    ) -> Result<Self, BindError> {
        let segment_name = registry_name(name)?;
        let schema = encode_schema::<P>()?;
        let length = (SCHEMA_OFFSET + schema.len()).next_multiple_of(PAGE);
        let started = Instant::now();
        while started.elapsed() < BIND_PATIENCE {
            crate::step::reach("bind.begin");
            match Mapping::create(&segment_name, length, SERVER_BYTE) {
                Ok(mapping) => {
                    if let Err(error) = admission.open_up(&mapping) {
                        mapping.unlink();
                        return Err(bind_error(name, error));
                    }
                    let told = Told {
                        options: *options,
                        fingerprint: P::FINGERPRINT,
                        // Tells two servers of one name apart, for whoever looks from outside.
                        generation: sys::random_u128().unwrap_or(0) as u64,
                        // Zero is none.
                        admitted_group: admission.group().map_or(0, |gid| u64::from(gid) + 1),
                        schema,
                    };
                    let registry = Self::prepare(mapping, told)?;
                    segment::sweep();
                    return Ok(registry);
                }
                Err(SegmentError::Exists) => remove_stale(name, &segment_name)?,
                Err(SegmentError::Changed) => {}
                Err(error) => return Err(bind_error(name, error)),
            }
            thread::sleep(Duration::from_micros(200));
        }
        // Others bind and die without end; say the likeliest.
        Err(BindError::AlreadyServed { name: name.into(), pid: 0 })
    }

    /// Makes a fresh segment, whose lock is held, a registry.
    fn prepare(mapping: Mapping, told: Told) -> Result<Self, BindError> {
        let mapping = Arc::new(mapping);
        let broken = || BindError::System {
            action: "prepare the registry's doorbell",
            source: io::ErrorKind::Unsupported.into(),
        };
        let memory = mapping.place::<RegistryMemory>(0).ok_or_else(broken)?;
        // SAFETY: `place` checked that a `RegistryMemory` lies there.
        let bell_memory = NonNull::from(unsafe { &memory.as_ref().bell });
        // SAFETY: fresh, zeroed; nobody uses it before the magic is published below.
        if !unsafe { Bell::initialise(bell_memory, told.options.doorbell) } {
            return Err(broken());
        }
        // SAFETY: initialised just now; the mapping is the owner.
        let bell = unsafe { Bell::attach(bell_memory, told.options.doorbell, mapping.clone()) }
            .ok_or_else(broken)?;
        let registry = Self { mapping, memory, bell, told, released: false.into() };
        registry.publish();
        Ok(registry)
    }

    /// Writes everything that clients are told. Again and again: a client may have written there, and
    /// those who come after it must find what is true. The bytes that are right already do not change.
    pub(crate) fn publish(&self) {
        let (memory, Told { options, schema, .. }) = (self.memory(), &self.told);
        if let Some(place) = self.mapping.bytes(SCHEMA_OFFSET, schema.len()) {
            // SAFETY: `bytes` checked the bounds; only the thread that serves writes there. Whoever
            // reads it meanwhile copies it out before looking at it, and finds the same bytes.
            unsafe { place.write(schema) };
        }
        let relaxed = Ordering::Relaxed;
        memory.doorbell.store(options.doorbell.to_u32(), relaxed);
        memory.length.store(self.mapping.length() as u64, relaxed);
        memory.generation.store(self.told.generation, relaxed);
        memory.fingerprint.store(self.told.fingerprint, relaxed);
        memory.admitted_group.store(self.told.admitted_group, relaxed);
        memory.pid.store(std::process::id(), relaxed);
        memory.flags.store(if options.checksums { FLAG_CHECKSUMS } else { 0 }, relaxed);
        memory.max_message.store(options.max_message as u64, relaxed);
        memory.message_ring.store(options.message_ring as u64, relaxed);
        memory.reply_ring.store(options.reply_ring as u64, relaxed);
        memory.max_links.store(options.max_links as u32, relaxed);
        memory.schema_length.store(schema.len() as u32, relaxed);
        crate::step::reach("bind.prepared");
        memory.magic.store(MAGIC, relaxed);
        // SYNC(registry-ready): all of the above, and the schema, come before it.
        memory.layout_version.store(LAYOUT_VERSION, Ordering::Release);
        crate::step::reach("bind.published");
    }

    #[cfg(loom)]
    pub(super) fn private(
        mapping: Arc<Mapping>,
        memory: NonNull<RegistryMemory>,
        bell: Bell,
        options: RegistryOptions,
    ) -> Self {
        let schema = Vec::new();
        let told = Told { options, fingerprint: 1, generation: 1, admitted_group: 0, schema };
        Self { mapping, memory, bell, told, released: false.into() }
    }

    fn memory(&self) -> &RegistryMemory {
        // SAFETY: inside `mapping` (checked by `place` in `prepare`), all atomics.
        unsafe { self.memory.as_ref() }
    }

    /// Was it bound by a parent of this process? Then this process serves nobody with it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.mapping.is_inherited()
    }

    /// The doorbell that wakes the listener.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Is anything ready? One load, for the spinning listener.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.memory().ready_summary.load(Ordering::Relaxed) != 0
    }

    /// Takes all ready bits: calls `link` with the index of each link that wants to be looked at.
    /// Tells whether a slot was made ready too.
    pub(crate) fn take_ready(&self, mut link: impl FnMut(usize)) -> bool {
        let memory = self.memory();
        // SYNC(ready): what the client published before it set its bit is visible after this.
        let summary = memory.ready_summary.swap(0, Ordering::Acquire);
        for word in (0..READY_WORDS).filter(|word| summary & (1 << word) != 0) {
            let mut bits = memory.ready[word].swap(0, Ordering::Acquire);
            while bits != 0 {
                link(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        summary & HAND_OVER_BIT != 0
    }

    /// Says that the listener is about to sleep. Look for ready bits once more after this.
    pub(crate) fn announce_wait(&self) {
        self.memory().listener_waits.store(1, Ordering::Relaxed);
        // SYNC(listener-waits): orders the store before the look at the ready bits that follows.
        fence(Ordering::SeqCst);
    }

    /// Takes [`announce_wait`](Self::announce_wait) back.
    pub(crate) fn withdraw_wait(&self) {
        self.memory().listener_waits.store(0, Ordering::Relaxed);
    }

    /// Has the listener look at a link, from another thread of the server.
    pub(crate) fn mark_ready(&self, index: usize) {
        mark_ready(self.memory(), &self.bell, index);
    }

    /// The links that clients offer and that were not answered yet.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        let slots = self.memory().slots.iter().enumerate();
        slots
            .filter(|(_, slot)| {
                // SYNC(slot): the link's id was written before.
                slot.request.load(Ordering::Acquire) == REQUEST_READY
            })
            .map(|(index, slot)| (index, join(&slot.link), join(&slot.answered)))
            .filter(|(_, link, answered)| link != answered)
            .map(|(slot, link_id, _)| Offer { slot, link_id })
            .collect()
    }

    /// Answers an offer.
    pub(crate) fn answer(&self, offer: Offer, answer: Result<(), &Refusal>) {
        let Some(slot) = self.memory().slots.get(offer.slot) else {
            return;
        };
        let code = match answer {
            Ok(()) => ANSWER_ACCEPTED,
            Err(Refusal::TooManyLinks) => ANSWER_TOO_MANY_LINKS,
            Err(Refusal::BadLink) => ANSWER_BAD_LINK,
            Err(Refusal::NotAdmitted) => ANSWER_NOT_ADMITTED,
        };
        if broken(Fault::AnsweredEarly) {
            split(offer.link_id, &slot.answered);
        }
        slot.answer.store(code, Ordering::Relaxed);
        crate::step::reach("hand-over.answering");
        // SYNC(answer): the id is random and written last, so who finds its own finds its answer.
        fence(Ordering::Release);
        split(offer.link_id, &slot.answered);
    }

    /// Frees the slots of claimers that died, and removes the links' names that they left.
    pub(crate) fn reap_slots(&self) {
        for (index, slot) in self.memory().slots.iter().enumerate() {
            if slot.request.load(Ordering::Relaxed) == REQUEST_NONE {
                continue;
            }
            let byte = FIRST_SLOT_BYTE + index as i64;
            if liveness::claim(self.mapping.file(), byte).unwrap_or(false) {
                crate::step::reach("reap.slot");
                remove_link_name(slot);
                slot.request.store(REQUEST_NONE, Ordering::Relaxed);
                liveness::release(self.mapping.file(), byte);
            }
        }
    }
}

impl Registry {
    /// Gives the name free and ends the server's life as others see it.
    pub(crate) fn release(&self) {
        if self.is_inherited() || self.released.swap(true, std::sync::atomic::Ordering::AcqRel) {
            return;
        }
        // In this order: clients that are still on their way find no name, or a name without a
        // living server; what they named is removed by them, or here if they died.
        self.mapping.unlink();
        self.memory().slots.iter().for_each(remove_link_name);
        crate::step::reach("goodbye.released");
        liveness::release(self.mapping.file(), SERVER_BYTE);
    }
}

#[cfg(test)]
impl Registry {
    /// Ends like a server that is killed: the kernel takes its lock, the name stays.
    pub(super) fn die(self) {
        self.released.store(true, std::sync::atomic::Ordering::Release);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.release();
    }
}

/// Sets a link's ready bit and wakes the listener if it sleeps.
pub(super) fn mark_ready(memory: &RegistryMemory, bell: &Bell, index: usize) {
    let (word, bit) = (index / 64, index % 64);
    if let Some(ready) = memory.ready.get(word).filter(|_| word < READY_WORDS) {
        if broken(Fault::SummaryFirst) {
            summon(memory, bell, 1 << word);
        }
        // SYNC(ready): what this side published before is visible to who takes the bit.
        ready.fetch_or(1 << bit, Ordering::Release);
        crate::step::reach("ring.marked");
        if !broken(Fault::SummaryFirst) {
            summon(memory, bell, 1 << word);
        }
    }
}

/// Sets a bit of the summary and wakes the listener if it sleeps.
pub(super) fn summon(memory: &RegistryMemory, bell: &Bell, summary_bit: u64) {
    memory.ready_summary.fetch_or(summary_bit, Ordering::Release);
    // SYNC(listener-waits): orders the bit before the load.
    fence(Ordering::SeqCst);
    if memory.listener_waits.load(Ordering::Relaxed) != 0 {
        bell.ring();
    }
}

/// Removes the name of the link that a slot tells, whoever is to blame that it is still there.
pub(super) fn remove_link_name(slot: &Slot) {
    // SYNC(slot): the link's id was written before.
    let request = slot.request.load(Ordering::Acquire);
    if request == REQUEST_CLAIMED || request == REQUEST_READY {
        drop(sys::unlink_shm(&link_name(join(&slot.link))));
    }
}

/// Whose names this process takes over.
fn is_own(facts: &sys::FileFacts) -> bool {
    facts.uid == sys::effective_uid()
}

/// Removes a registry without a living server. Does nothing if it changed meanwhile: look again.
fn remove_stale(name: &str, segment_name: &str) -> Result<(), BindError> {
    let file = match sys::open_shm(segment_name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Only for its error: it knows how to tell another user's segment.
        Err(_) => match Mapping::open(segment_name, 0, is_own) {
            Err(SegmentError::Missing | SegmentError::Changed) | Ok(_) => return Ok(()),
            Err(error) => return Err(bind_error(name, error)),
        },
    };
    let system = |source| BindError::System { action: "examine the name's segment", source };
    let facts = sys::file_facts(&file).map_err(system)?;
    if !is_own(&facts) {
        return Err(bind_error(name, SegmentError::OtherUser { uid: facts.uid }));
    }
    let is_still_named = || {
        let now = sys::open_shm(segment_name).and_then(|file| sys::file_facts(&file));
        now.is_ok_and(|now| now.identity == facts.identity)
    };
    let mut looks = 0;
    while !liveness::claim(&file, SERVER_BYTE).map_err(system)? {
        // Clients that remove the same stale segment hold the lock for some microseconds each, one
        // after the other, and the first of them removes the name.
        if !is_still_named() {
            return Ok(());
        }
        looks += 1;
        if looks == CLAIM_LOOKS {
            return Err(BindError::AlreadyServed { name: name.into(), pid: pid_in(&file) });
        }
        thread::sleep(Duration::from_millis(1));
    }
    crate::step::reach("take-over.claimed");
    if is_still_named() {
        if let Ok(mapping) = Mapping::open(segment_name, size_of::<RegistryMemory>(), is_own) {
            remove_links_of(&mapping);
        }
        sys::unlink_shm(segment_name)
            .map_err(|source| BindError::System { action: "remove a stale segment", source })?;
        crate::step::reach("take-over.unlinked");
    }
    Ok(())
}

/// The same for a client that finds its server dead. Leaves everything as it is if a server, or
/// somebody else who cleans up, holds the lock.
pub(super) fn remove_stale_mapping(mapping: &Mapping) {
    if liveness::claim(mapping.file(), SERVER_BYTE).unwrap_or(false) {
        crate::step::reach("take-over.claimed");
        remove_links_of(mapping);
        mapping.unlink();
        liveness::release(mapping.file(), SERVER_BYTE);
    }
}

/// The names of links that were being handed over to a server that died.
fn remove_links_of(mapping: &Mapping) {
    let Some(memory) = mapping.place::<RegistryMemory>(0) else { return };
    // SAFETY: `place` checked the bounds; all atomics, so any content is a value.
    let memory = unsafe { memory.as_ref() };
    let ours = memory.magic.load(Ordering::Relaxed) == MAGIC
        && memory.layout_version.load(Ordering::Acquire) == LAYOUT_VERSION;
    if ours {
        memory.slots.iter().for_each(remove_link_name);
    }
}

/// The pid that a registry tells; zero if it does not yet.
fn pid_in(file: &OwnedFd) -> u32 {
    let mut bytes = [0; 4];
    let offset = std::mem::offset_of!(RegistryMemory, pid) as u64;
    match sys::read_at(file, &mut bytes, offset) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

fn encode_schema<P: ShmMessage>() -> Result<Vec<u8>, BindError> {
    let mut bytes = Vec::new();
    codec::encode_to_vec(&Schema::of::<P>(), &mut bytes, MAXIMUM_SCHEMA).map_err(|_| {
        BindError::System {
            action: "describe the protocol: its variants' names are longer than a mebibyte",
            source: io::ErrorKind::InvalidInput.into(),
        }
    })?;
    Ok(bytes)
}

fn bind_error(name: &str, error: SegmentError) -> BindError {
    match error {
        SegmentError::OtherUser { uid } => {
            BindError::OtherUser { name: name.into(), uid, own_uid: sys::effective_uid() }
        }
        SegmentError::NoRoom { needed, available } => BindError::NoRoom { needed, available },
        SegmentError::System { action, source } => BindError::System { action, source },
        SegmentError::Missing
        | SegmentError::Exists
        | SegmentError::Changed
        | SegmentError::Truncated { .. } => BindError::System {
            action: "take the name: its segment changes all the time",
            source: io::ErrorKind::ResourceBusy.into(),
        },
    }
}
