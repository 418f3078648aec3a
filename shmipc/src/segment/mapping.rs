//! One segment, made or opened, as this process has it mapped.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use shared_memory::{ShmemConf, ShmemError};

use super::access::{self, Access};
use super::error::SegmentError;
use crate::error::Limit;
use crate::os::fork::{self, SegmentFile};
use crate::os::pages::Pages;
use crate::os::{self, FileFacts};
use crate::ring::foreign::Place;
use crate::sync::AtomicU64;

/// Where a new segment's random stamp stands: inside what both kinds keep in reserve.
const STAMP_OFFSET: usize = 120;

/// Admits what this user made.
pub(crate) fn of_user(uid: u32) -> impl Fn(&Candidate<'_>) -> Result<(), SegmentError> {
    move |candidate| match candidate.facts.uid {
        owner if owner == uid => Ok(()),
        owner => Err(SegmentError::OtherUser { uid: owner }),
    }
}

/// A segment that was opened and is not mapped yet: whether it is, its opener decides.
pub(crate) struct Candidate<'a> {
    file: &'a OwnedFd,
    pub(crate) facts: &'a FileFacts,
}

impl Candidate<'_> {
    /// Who besides its owner may open it; `user` is the one whom its owner may have let in.
    pub(crate) fn access(&self, user: u32) -> Access {
        Access::of(self.file, self.facts, user)
    }
}

#[cfg(loom)]
pub(crate) use super::modelled::Mapping;

/// A segment mapped into this process.
#[cfg(not(loom))]
pub(crate) struct Mapping {
    /// Our own open file description; it holds this side's locks and no other does. Before
    /// `pages`: a forked child replaces the pages of what is still listed.
    file: SegmentFile,
    pages: Pages,
    facts: FileFacts,
    name: String,
}

// SAFETY: `Pages` is a pointer, a length and perhaps a descriptor, used by this type only to read
// those and to unmap on drop. Access to the mapped bytes goes through atomics or the ring's rules.
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
        let (pages, file, facts) = SegmentFile::open(|| create(name, length))?;
        let open = file.file();
        crate::step::reach("create.named");
        let locked = os::try_lock_byte(open, life_byte)
            .map_err(|error| SegmentError::system("lock a shared memory segment", error))?;
        crate::step::reach("create.locked");
        let mapping = Self { file, pages, facts, name: name.into() };
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
        let stamp = os::random_u128().map_err(system)? as u64;
        let place = self.place::<AtomicU64>(STAMP_OFFSET).ok_or(SegmentError::Changed)?;
        // SAFETY: `place` checked the bounds; an atomic, so others may look at it meanwhile.
        unsafe { place.as_ref() }.store(stamp, crate::sync::Ordering::Relaxed);
        let mut bytes = [0; 8];
        os::read_at(self.file(), &mut bytes, STAMP_OFFSET as u64).map_err(system)?;
        Ok(u64::from_ne_bytes(bytes) == stamp)
    }

    /// Opens a segment that somebody else made: `admit` looks at it first, then it is mapped, if it
    /// is long enough for `least` bytes. Those can be touched, the rest only after
    /// [`reserve_first`](Self::reserve_first), or where `admit` saw that all of it is reserved.
    pub(crate) fn open(
        name: &str,
        least: usize,
        admit: impl Fn(&Candidate<'_>) -> Result<(), SegmentError>,
    ) -> Result<Self, SegmentError> {
        arm()?;
        let (pages, file, facts) = SegmentFile::open(|| {
            let file = open(name)?;
            let facts = facts_of(&file)?;
            admit(&Candidate { file: &file, facts: &facts })?;
            if !facts.is_file {
                let what = "use a shared memory segment: it is no file";
                return Err(SegmentError::system(what, io::ErrorKind::InvalidInput));
            }
            if facts.length < least as u64 {
                let expected = least as u64;
                return Err(SegmentError::Truncated { length: facts.length, expected });
            }
            reserve_first(&file, &facts, least)?;
            let pages = Pages::map(&file, facts.length)
                .map_err(|error| SegmentError::system("map a shared memory segment", error))?;
            Ok((pages, file, facts))
        })?;
        Ok(Self { file, pages, facts, name: name.into() })
    }

    /// Gives it to one of this user's groups.
    pub(crate) fn set_group(&self, gid: u32) -> io::Result<()> {
        os::set_group(self.file(), gid)
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
    fn reserve(&self) -> Result<(), SegmentError> {
        reserve(self.file(), self.facts.length)
    }

    /// The descriptor that holds this side's locks.
    pub(crate) fn file(&self) -> &OwnedFd {
        self.file.file()
    }

    /// Was it mapped by a parent of this process? Then there is nothing left of it.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.file.is_inherited()
    }

    pub(crate) fn length(&self) -> usize {
        self.pages.len()
    }

    /// What the kernel told when it was opened: its owner above all.
    pub(crate) fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// Is the segment still what its name leads to?
    pub(crate) fn is_named(&self) -> io::Result<bool> {
        is_named(&self.name, self.facts.identity)
    }

    /// Removes the segment's name if it still leads here. Call it with this segment's lock held.
    /// Where it fails the directory forbids it, and the next bind of its user takes the name
    /// over.
    pub(crate) fn unlink(&self) {
        drop(self.try_unlink());
    }

    /// The same, and says why the name is still there.
    pub(crate) fn try_unlink(&self) -> io::Result<()> {
        if self.is_inherited() || !self.is_named()? {
            return Ok(());
        }
        crate::step::reach("unlink.before");
        let removed = os::unlink_shm(&self.name);
        crate::step::reach("unlink.after");
        removed
    }

    /// The address of a `T` at `offset`, or `None` if the segment ends before its end.
    pub(crate) fn place<T>(&self, offset: usize) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.pages.len() || offset % align_of::<T>() != 0 {
            return None;
        }
        // SAFETY: `offset` is inside the mapping (checked).
        let place = unsafe { self.pages.as_ptr().add(offset) };
        NonNull::new(place.cast())
    }

    /// The `length` bytes at `offset`, or `None` if the segment ends before their end.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> Option<Place> {
        if offset.checked_add(length)? > self.pages.len() {
            return None;
        }
        self.place::<u8>(offset).map(Place::new)
    }
}

fn arm() -> Result<(), SegmentError> {
    fork::arm().map_err(|error| SegmentError::system("have forks noticed", error))
}

/// Does the name lead to this file? Asked without opening it, which could have to wait, and closing
/// it again would take this process's signature away.
pub(crate) fn is_named(name: &str, identity: (u64, u64)) -> io::Result<bool> {
    match os::named_facts(name) {
        Ok(facts) => Ok(facts.identity == identity),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The segment's map, and our own descriptor of it. Nobody of another user can put anything else in
/// the place of a name that this user just made (the directory is sticky), and none of these calls
/// waits.
fn create(name: &str, length: usize) -> Result<(Pages, OwnedFd, FileFacts), SegmentError> {
    // Two descriptors are needed. Where the second is missing, nothing is to be made.
    let spare = os::spare_descriptor()
        .map_err(|error| SegmentError::system("create a shared memory segment", error))?;
    let created = ShmemConf::new().os_id(name).size(length).create();
    let mut shmem = created.map_err(|error| match error {
        ShmemError::MappingIdExists => SegmentError::Exists,
        other => from_shmem("create a shared memory segment", other),
    })?;
    // Names are only removed by who knows that they are still theirs.
    shmem.set_owner(false);
    drop(spare);
    match open(name) {
        Ok(file) => {
            let facts = facts_of(&file)?;
            Ok((Pages::Made(shmem), file, facts))
        }
        Err(SegmentError::Missing) => Err(SegmentError::Changed),
        Err(other) => Err(other),
    }
}

fn open(name: &str) -> Result<OwnedFd, SegmentError> {
    match os::open_shm(name) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SegmentError::Missing),
        // A limit says nothing about the file.
        Err(error) if Limit::of(&error).is_some() => {
            Err(SegmentError::system("open a shared memory segment", error))
        }
        // Whatever stands there instead of a file, a directory or a link: whose is it?
        Err(error) => match owner_by_name(name) {
            Some(uid) if uid != os::effective_uid() => Err(SegmentError::OtherUser { uid }),
            _ => Err(SegmentError::system("open a shared memory segment", error)),
        },
    }
}

/// The owner of a segment that this user may not open, for the error's text.
fn owner_by_name(name: &str) -> Option<u32> {
    Some(os::named_facts(name).ok()?.uid)
}

fn facts_of(file: &OwnedFd) -> Result<FileFacts, SegmentError> {
    os::file_facts(file)
        .map_err(|error| SegmentError::system("examine a shared memory segment", error))
}

/// Touching what its maker did not reserve would be a bus error on a full file system: the maker
/// died between making and reserving it, is just about to, or means harm.
fn reserve_first(file: &OwnedFd, facts: &FileFacts, length: usize) -> Result<(), SegmentError> {
    if facts.reserved >= facts.length { Ok(()) } else { reserve(file, length as u64) }
}

fn reserve(file: &OwnedFd, length: u64) -> Result<(), SegmentError> {
    os::reserve(file, length).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => {
            SegmentError::NoRoom { needed: length, available: os::free_room(file) }
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
    SegmentError::system(action, source)
}
