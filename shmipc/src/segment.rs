//! Segments: files in shared memory, made, opened and mapped through `shared_memory`, with a
//! descriptor of our own beside it for what that crate does not do: the owner's check, the
//! reservation of memory, and the locks that tell who lives.
//!
//! | kind | name | made by |
//! |---|---|---|
//! | registry | `shmipc.r.` and the server's name | the server |
//! | link | `shmipc.l.` and 128 random bits in hexadecimal | the client; the name is gone once both have it |
//!
//! # Attaching, in stages
//! 1. open the name; the owner must be this user, or one that was named as trusted;
//! 2. map it; it must be the same file, and long enough for a header;
//! 3. magic and layout version, published last by the creator: zero means "not ready yet";
//! 4. the length that the header tells must be the file's;
//! 5. only then anything else.
//!
//! A process of the same user could cut the file afterwards, and touching what was cut would be a
//! bus error: no library can prevent that, see the threat model in the crate's docs.

pub(crate) mod access;
pub(crate) mod link;
#[cfg(loom)]
mod modelled;
pub(crate) mod registry;

#[cfg(loom)]
pub(crate) use modelled::Mapping;

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use shared_memory::{Shmem, ShmemConf, ShmemError};

use crate::foreign::Place;
use crate::fork::{self, Kept};
use crate::sync::AtomicU64;
use crate::sys::{self, FileFacts};

/// Prefix of registries' names.
pub(crate) const REGISTRY_PREFIX: &str = "shmipc.r.";
/// Prefix of links' names.
pub(crate) const LINK_PREFIX: &str = "shmipc.l.";

/// The layout's version: goes up with every change of a segment's or a frame's layout.
pub(crate) const LAYOUT_VERSION: u32 = 2;

/// Where a new segment's random stamp stands: inside what both kinds keep in reserve.
const STAMP_OFFSET: usize = 120;

/// Bytes in a page; segments are whole pages. 64 KiB pages exist, but a multiple of 4 KiB serves:
/// the kernel rounds mappings up by itself.
pub(crate) const PAGE: usize = 4096;

/// Why a segment could not be made or opened.
#[derive(Debug)]
pub(crate) enum SegmentError {
    /// Nobody made it.
    Missing,
    /// The name is taken.
    Exists,
    /// Another user's.
    OtherUser { uid: u32 },
    /// The file is shorter than expected.
    Truncated { length: u64, expected: u64 },
    /// No memory left in the file system.
    NoRoom { needed: u64, available: u64 },
    /// Another file came under the name between two looks; try again.
    Changed,
    /// A system call failed.
    System { action: &'static str, source: io::Error },
}

impl SegmentError {
    pub(crate) fn system(action: &'static str, source: impl Into<io::Error>) -> Self {
        Self::System { action, source: source.into() }
    }
}

/// A segment mapped into this process.
#[cfg(not(loom))]
pub(crate) struct Mapping {
    /// Our own open file description; it holds this side's locks and no other does. Before `shmem`:
    /// a forked child replaces the pages of what is still listed.
    file: Kept,
    shmem: Shmem,
    facts: FileFacts,
    name: String,
}

// SAFETY: `Shmem` is a pointer, a length and a descriptor, used by this type only to read those and
// to unmap on drop. Access to the mapped bytes goes through atomics or the ring's rules.
#[cfg(not(loom))]
unsafe impl Send for Mapping {}
// SAFETY: as above: `&Mapping` gives out addresses, and facts that never change.
#[cfg(not(loom))]
unsafe impl Sync for Mapping {}

#[cfg(not(loom))]
impl Mapping {
    /// Makes a new segment of `length` bytes, all zero but for its stamp, readable and writable by
    /// this user alone, with its memory reserved and the lock on `life_byte` taken.
    ///
    /// Between the creation of the file and the lock somebody may take it for a dead process's and
    /// remove it, or even put another in its place: that is [`SegmentError::Changed`], try again.
    pub(crate) fn create(name: &str, length: usize, life_byte: i64) -> Result<Self, SegmentError> {
        arm()?;
        let (shmem, file) = Kept::open(|| create(name, length))?;
        let open = file.file();
        crate::step::reach("create.named");
        let locked = sys::try_lock_byte(open, life_byte)
            .map_err(|error| SegmentError::system("lock a shared memory segment", error))?;
        crate::step::reach("create.locked");
        let facts = facts_of(open)?;
        let mapping = Self { file, shmem, facts, name: name.into() };
        let named = mapping
            .is_named()
            .map_err(|error| SegmentError::system("find a segment by its name", error))?;
        if !locked || facts.length != length as u64 || !named {
            return Err(SegmentError::Changed);
        }
        if let Err(error) = mapping.reserve() {
            mapping.unlink();
            return Err(error);
        }
        // Map and file were opened one after the other, by name.
        if mapping.is_one_file()? { Ok(mapping) } else { Err(SegmentError::Changed) }
    }

    /// Writes random bits through the map and reads them through the file.
    fn is_one_file(&self) -> Result<bool, SegmentError> {
        let system = |error| SegmentError::system("stamp a shared memory segment", error);
        let stamp = sys::random_u128().map_err(system)? as u64;
        let place = self.place::<AtomicU64>(STAMP_OFFSET).ok_or(SegmentError::Changed)?;
        // SAFETY: `place` checked the bounds; an atomic, so others may look at it meanwhile.
        unsafe { place.as_ref() }.store(stamp, crate::sync::Ordering::Relaxed);
        let mut bytes = [0; 8];
        sys::read_at(self.file(), &mut bytes, STAMP_OFFSET as u64).map_err(system)?;
        Ok(u64::from_ne_bytes(bytes) == stamp)
    }

    /// Opens a segment that somebody else made: owner first, who must be `trusted`, then the map,
    /// which must be long enough for `least` bytes. Those can be touched, the rest only after
    /// [`reserve_first`](Self::reserve_first) or [`reserve`](Self::reserve).
    pub(crate) fn open(
        name: &str,
        least: usize,
        trusted: impl Fn(&FileFacts) -> bool,
    ) -> Result<Self, SegmentError> {
        arm()?;
        let mut found = None;
        let (shmem, file) = Kept::open(|| {
            let file = open(name)?;
            let facts = facts_of(&file)?;
            found = Some(facts);
            if !trusted(&facts) {
                return Err(SegmentError::OtherUser { uid: facts.uid });
            }
            if facts.length < least as u64 {
                return Err(SegmentError::Truncated {
                    length: facts.length,
                    expected: least as u64,
                });
            }
            reserve_first(&file, &facts, least)?;
            let shmem = ShmemConf::new()
                .os_id(name)
                .open()
                .map_err(|error| from_shmem("map a shared memory segment", error))?;
            Ok((shmem, file))
        })?;
        let facts = found.ok_or(SegmentError::Changed)?;
        // Another user may have put a second name of any file in this one's place just while it was
        // mapped, so the kernel is asked what lies there.
        let foreign = facts.uid != sys::effective_uid();
        if foreign && sys::mapped_inode(shmem.as_ptr().addr()) != Some(facts.identity.1) {
            return Err(SegmentError::Changed);
        }
        // The map was made by name: was it the same file all the time?
        let again = facts_of(&open(name)?)?;
        if again.identity != facts.identity || shmem.len() as u64 != facts.length {
            return Err(SegmentError::Changed);
        }
        Ok(Self { file, shmem, facts, name: name.into() })
    }

    /// Gives it to one of this user's groups.
    pub(crate) fn set_group(&self, gid: u32) -> io::Result<()> {
        sys::set_group(self.file(), gid)
    }

    /// Lets these users, or this group, open the segment too.
    pub(crate) fn admit(&self, users: &[u32], group: Option<u32>) -> Result<(), SegmentError> {
        access::admit(self.file(), users, group)
    }

    /// The same for the first `length` bytes of a segment that somebody else made.
    pub(crate) fn reserve_first(&self, length: usize) -> Result<(), SegmentError> {
        reserve_first(self.file(), &self.facts, length)
    }

    /// Makes sure that touching the segment cannot fail for want of memory.
    pub(crate) fn reserve(&self) -> Result<(), SegmentError> {
        reserve(self.file(), self.facts.length)
    }

    /// The descriptor that holds this side's locks.
    pub(crate) fn file(&self) -> &OwnedFd {
        self.file.file()
    }

    /// Was it mapped by a parent of this process? Then there is nothing left of it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.file.is_inherited()
    }

    pub(crate) fn length(&self) -> usize {
        self.shmem.len()
    }

    /// What the kernel told when it was opened: its owner above all.
    pub(crate) fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// Is the segment still what its name leads to?
    pub(crate) fn is_named(&self) -> io::Result<bool> {
        match sys::open_shm(&self.name).and_then(|file| sys::file_facts(&file)) {
            Ok(facts) => Ok(facts.identity == self.facts.identity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the segment's name if it still leads here. Call it with this segment's lock held.
    pub(crate) fn unlink(&self) {
        if !self.is_inherited() && self.is_named().unwrap_or(false) {
            // Failing means that the name is gone already or that the directory forbids it, and
            // then the next bind takes it over.
            crate::step::reach("unlink.before");
            drop(sys::unlink_shm(&self.name));
            crate::step::reach("unlink.after");
        }
    }

    /// The address of a `T` at `offset`, or `None` if the segment ends before its end.
    pub(crate) fn place<T>(&self, offset: usize) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.shmem.len() || offset % align_of::<T>() != 0 {
            return None;
        }
        // SAFETY: `offset` is inside the mapping (checked).
        let place = unsafe { self.shmem.as_ptr().add(offset) };
        NonNull::new(place.cast())
    }

    /// The `length` bytes at `offset`, or `None` if the segment ends before their end.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> Option<Place> {
        if offset.checked_add(length)? > self.shmem.len() {
            return None;
        }
        self.place::<u8>(offset).map(Place::new)
    }
}

fn arm() -> Result<(), SegmentError> {
    fork::arm().map_err(|error| SegmentError::system("have forks noticed", error))
}

/// The segment's map, and our own descriptor of it.
fn create(name: &str, length: usize) -> Result<(Shmem, OwnedFd), SegmentError> {
    let created = ShmemConf::new().os_id(name).size(length).create();
    let mut shmem = created.map_err(|error| match error {
        ShmemError::MappingIdExists => SegmentError::Exists,
        other => from_shmem("create a shared memory segment", other),
    })?;
    // Names are only removed by who knows that they are still theirs.
    shmem.set_owner(false);
    match open(name) {
        Ok(file) => Ok((shmem, file)),
        Err(SegmentError::Missing) => Err(SegmentError::Changed),
        Err(other) => Err(other),
    }
}

fn open(name: &str) -> Result<OwnedFd, SegmentError> {
    match sys::open_shm(name) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SegmentError::Missing),
        // Whatever stands there instead of a file, a directory or a link: whose is it?
        Err(error) => match owner_by_name(name) {
            Some(uid) if uid != sys::effective_uid() => Err(SegmentError::OtherUser { uid }),
            _ => Err(SegmentError::system("open a shared memory segment", error)),
        },
    }
}

/// The owner of a segment that this user may not open, for the error's text.
fn owner_by_name(name: &str) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::symlink_metadata(format!("/dev/shm/{name}")).ok()?.uid())
}

fn facts_of(file: &OwnedFd) -> Result<FileFacts, SegmentError> {
    sys::file_facts(file)
        .map_err(|error| SegmentError::system("examine a shared memory segment", error))
}

/// Touching what its maker did not reserve would be a bus error on a full file system: the maker died
/// between making and reserving it, is just about to, or means harm.
fn reserve_first(file: &OwnedFd, facts: &FileFacts, length: usize) -> Result<(), SegmentError> {
    if facts.reserved >= facts.length { Ok(()) } else { reserve(file, length as u64) }
}

fn reserve(file: &OwnedFd, length: u64) -> Result<(), SegmentError> {
    sys::reserve(file, length).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => {
            SegmentError::NoRoom { needed: length, available: sys::free_room(file) }
        }
        _ => SegmentError::system("reserve memory for a segment", error),
    })
}

fn from_shmem(action: &'static str, error: ShmemError) -> SegmentError {
    let code = match error {
        ShmemError::MapOpenFailed(code)
        | ShmemError::MapCreateFailed(code)
        | ShmemError::UnknownOsError(code) => code,
        other => return SegmentError::system(action, io::Error::other(other.to_string())),
    };
    let source = io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(0));
    match source.kind() {
        io::ErrorKind::NotFound => SegmentError::Missing,
        _ => SegmentError::system(action, source),
    }
}

/// The first eight bytes of every segment, which its creator publishes last.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"shmipc\r\n");

/// Loads a number that the segment's maker wrote once; relaxed, as the magic was acquired before.
pub(crate) fn constant(word: &AtomicU64) -> u64 {
    word.load(crate::sync::Ordering::Relaxed)
}

/// Removes what dead processes of this user left: names of links that a double kill left behind, and
/// registries that nobody bound again. Only old ones: a young one may just be being made.
pub(crate) fn sweep() {
    for prefix in [LINK_PREFIX, REGISTRY_PREFIX] {
        for name in sys::shm_names(prefix) {
            // A name that cannot be examined is somebody else's business.
            drop(remove_if_dead(&name));
        }
    }
}

fn remove_if_dead(name: &str) -> io::Result<()> {
    const AGE: std::time::Duration = std::time::Duration::from_secs(10);
    // In both kinds the byte of the process that made it.
    const LIFE_BYTE: i64 = crate::liveness::SERVER_BYTE;
    const { assert!(LIFE_BYTE == crate::liveness::LINK_CLIENT_BYTE) };
    let file = sys::open_shm(name)?;
    let facts = sys::file_facts(&file)?;
    let old = facts.modified.elapsed().is_ok_and(|age| age > AGE);
    if !old || facts.uid != sys::effective_uid() || sys::is_byte_locked(&file, LIFE_BYTE)? {
        return Ok(());
    }
    // The lock makes sure that nobody takes it into use meanwhile.
    if sys::try_lock_byte(&file, LIFE_BYTE)?
        && sys::file_facts(&sys::open_shm(name)?)?.identity == facts.identity
    {
        sys::unlink_shm(name)?;
    }
    Ok(())
}
