//! The server's side of a registry: taking the name, being found, taking links on.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::memory::{FLAG_CHECKSUMS, RegistryMemory, SCHEMA_OFFSET};
use super::schema::{MAXIMUM_SCHEMA, Protocol, RegistryOptions, Schema};
use super::stale::{bind_error, remove_link_name, remove_stale};
use crate::codec;
use crate::error::BindError;
use crate::os;
use crate::os::liveness::{self, SERVER_BYTE};
use crate::segment::admission::Admission;
use crate::segment::doorbell::Bell;
use crate::segment::error::SegmentError;
use crate::segment::layout::{LAYOUT_VERSION, MAGIC, PAGE};
use crate::segment::mapping::Mapping;
use crate::segment::name::registry_name;
use crate::segment::sweep::is_single_and_finished;
use crate::sync::Ordering;

/// How long several processes that bind one name at the same time may get in each other's way.
const BIND_PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait for the end of a server that is dead: its memory is freed, or its core written.
const ENDING_PATIENCE: Duration = Duration::from_secs(5);

/// A registry as its server has it. Dropping it gives the name free.
pub(crate) struct Registry {
    mapping: Arc<Mapping>,
    memory: NonNull<RegistryMemory>,
    bell: Bell,
    facts: Arc<Facts>,
    released: std::sync::atomic::AtomicBool,
}

/// What a registry tells its clients, as its server knows it: the shared copy can be written by any
/// of them.
struct Facts {
    name: String,
    segment_name: String,
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

impl Registry {
    /// Takes the name: makes the registry, or takes over what a dead server left.
    pub(crate) fn bind(
        name: &str,
        protocol: Protocol,
        options: &RegistryOptions,
        admission: &Admission,
    ) -> Result<Self, BindError> {
        let segment_name = registry_name(name)?;
        let facts = Facts {
            name: name.into(),
            segment_name,
            options: *options,
            fingerprint: protocol.fingerprint,
            // Tells two servers of one name apart, for whoever looks from outside.
            generation: os::random_u128().unwrap_or(0) as u64,
            // Zero is none.
            admitted_group: admission.group().map_or(0, |gid| u64::from(gid) + 1),
            schema: encode_schema(&(protocol.schema)())?,
        };
        Self::take(Arc::new(facts), admission, BIND_PATIENCE)
    }

    /// A registry like this one, under its name, which leads nowhere any more. Those who linked
    /// through this one stay with it.
    pub(crate) fn bind_again(&self, admission: &Admission) -> Result<Self, BindError> {
        Self::take(self.facts.clone(), admission, Duration::ZERO)
    }

    fn take(
        facts: Arc<Facts>,
        admission: &Admission,
        patience: Duration,
    ) -> Result<Self, BindError> {
        let (name, segment_name) = (facts.name.as_str(), facts.segment_name.as_str());
        let length = (SCHEMA_OFFSET + facts.schema.len()).next_multiple_of(PAGE);
        let mut started = Instant::now();
        // Who does not wait for others does not wait for the kernel either.
        let ending = if patience.is_zero() { patience } else { ENDING_PATIENCE };
        loop {
            crate::step::reach("bind.begin");
            match Mapping::create(segment_name, length, SERVER_BYTE) {
                Ok(mapping) => {
                    if let Err(error) = admission.open_up(&mapping) {
                        mapping.unlink();
                        return Err(bind_error(name, error));
                    }
                    return Self::prepare(mapping, facts);
                }
                Err(SegmentError::Exists) => {
                    let asked = Instant::now();
                    remove_stale(name, segment_name, ending)?;
                    // What the kernel took to end a server is no sign that others are in the way.
                    if asked.elapsed() > BIND_PATIENCE / 20 {
                        started += asked.elapsed();
                    }
                }
                Err(SegmentError::Changed) => {}
                Err(error) => return Err(bind_error(name, error)),
            }
            if started.elapsed() >= patience {
                // Others bind and die without end; say the likeliest.
                return Err(BindError::AlreadyServed { name: name.into(), pid: 0 });
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Makes a fresh segment, whose lock is held, a registry.
    fn prepare(mapping: Mapping, facts: Arc<Facts>) -> Result<Self, BindError> {
        let mapping = Arc::new(mapping);
        let broken = || BindError::System {
            action: "prepare the registry's doorbell",
            source: io::ErrorKind::Unsupported.into(),
        };
        let memory = mapping.place::<RegistryMemory>(0).ok_or_else(broken)?;
        // SAFETY: `place` checked that a `RegistryMemory` lies there.
        let bell_memory = NonNull::from(unsafe { &memory.as_ref().bell });
        // SAFETY: fresh, zeroed; nobody uses it before the magic is published below.
        if !unsafe { Bell::initialise(bell_memory, facts.options.doorbell) } {
            return Err(broken());
        }
        // SAFETY: initialised just now; the mapping is the owner.
        let bell = unsafe { Bell::attach(bell_memory, facts.options.doorbell, mapping.clone()) }
            .ok_or_else(broken)?;
        let registry = Self { mapping, memory, bell, facts, released: false.into() };
        registry.publish();
        Ok(registry)
    }

    /// Writes everything that clients are facts. Again and again: a client may have written there,
    /// and those who come after it must find what is true. The bytes that are right already do
    /// not change.
    pub(crate) fn publish(&self) {
        let (memory, Facts { options, schema, .. }) = (self.memory(), &*self.facts);
        if let Some(place) = self.mapping.bytes(SCHEMA_OFFSET, schema.len()) {
            // SAFETY: `bytes` checked the bounds; nobody else in this process touches these pages
            // of this mapping, which is the registry's alone: `prepare` writes there
            // before anybody else has the registry, then only the listener's thread. A
            // client in this process maps the segment anew, and reads foreign memory
            // (`read_schema`) as in any other process.
            unsafe { place.write(schema) };
        }
        let relaxed = Ordering::Relaxed;
        memory.doorbell.store(options.doorbell.to_u32(), relaxed);
        memory.length.store(self.mapping.length() as u64, relaxed);
        memory.generation.store(self.facts.generation, relaxed);
        memory.fingerprint.store(self.facts.fingerprint, relaxed);
        memory.admitted_group.store(self.facts.admitted_group, relaxed);
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
    pub(super) fn in_memory(
        mapping: Arc<Mapping>,
        memory: NonNull<RegistryMemory>,
        bell: Bell,
        options: RegistryOptions,
    ) -> Self {
        let schema = Vec::new();
        let facts = Facts {
            name: String::new(),
            segment_name: String::new(),
            options,
            fingerprint: 1,
            generation: 1,
            admitted_group: 0,
            schema,
        };
        let facts = Arc::new(facts);
        Self { mapping, memory, bell, facts, released: false.into() }
    }

    pub(super) fn memory(&self) -> &RegistryMemory {
        // SAFETY: inside `mapping` (checked by `place` in `prepare`), all atomics.
        unsafe { self.memory.as_ref() }
    }

    /// Was it bound by a parent of this process? Then this process serves nobody with it.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.mapping.is_inherited()
    }

    /// Does the name still lead here? An error is no answer.
    pub(crate) fn is_named(&self) -> bool {
        self.mapping.is_named().unwrap_or(true)
    }

    /// Does the name lead to what a server made under it, and finished? What has a second name may
    /// be any server's: somebody who is admitted to it may have given it this one.
    pub(crate) fn is_name_anothers(&self) -> bool {
        is_single_and_finished(&self.facts.segment_name).unwrap_or(false)
    }

    /// The server's name.
    pub(crate) fn name(&self) -> &str {
        &self.facts.name
    }

    /// The user who bound it, who may be another than this process's is by now.
    pub(crate) fn owner(&self) -> u32 {
        self.mapping.facts().uid
    }

    /// The descriptor that holds the server's locks.
    #[cfg(not(loom))]
    pub(super) fn file(&self) -> &std::os::fd::OwnedFd {
        self.mapping.file()
    }

    #[cfg(loom)]
    pub(super) fn file(&self) -> &impl liveness::Locks {
        self.mapping.file()
    }

    /// The doorbell that wakes the listener.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl Registry {
    /// Gives the name free and ends the server's life as others see it. The error: the name is
    /// still there.
    pub(crate) fn release(&self) -> io::Result<()> {
        if self.is_inherited() || self.released.swap(true, std::sync::atomic::Ordering::AcqRel) {
            return Ok(());
        }
        // In this order: clients that are still on their way find no name, or a name without a
        // living server; what they named is removed by them, or here if they died.
        let unlinked = self.mapping.try_unlink();
        self.memory().slots.iter().for_each(remove_link_name);
        crate::step::reach("goodbye.released");
        liveness::release(self.mapping.file(), SERVER_BYTE);
        unlinked
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
        // Nobody to tell: the listener did, where there was one.
        drop(self.release());
    }
}

fn encode_schema(schema: &Schema) -> Result<Vec<u8>, BindError> {
    let mut bytes = Vec::new();
    codec::encode_to_vec(schema, &mut bytes, MAXIMUM_SCHEMA).map_err(|_| BindError::System {
        action: "describe the protocol: its variants' names are longer than a mebibyte",
        source: io::ErrorKind::InvalidInput.into(),
    })?;
    Ok(bytes)
}
