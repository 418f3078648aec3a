//! What dead servers left: their names, and the names of links that were being handed over to them.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use super::memory::{REQUEST_CLAIMED, REQUEST_READY, RegistryMemory, Slot, join};
use crate::error::{BindError, Limit};
use crate::os;
use crate::os::liveness::{self, CLEANER_BYTE, SERVER_BYTE};
use crate::segment::error::SegmentError;
use crate::segment::layout::{LAYOUT_VERSION, MAGIC};
use crate::segment::mapping::{Mapping, is_named, of_user};
use crate::segment::name::link_name;
use crate::sync::Ordering;

/// Tries to take the lock of a name before it counts as served.
const CLAIM_LOOKS: u32 = 4;
/// How long somebody else may take to clean up.
const CLEANER_PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks whether a server that is ending has ended.
const ENDING_PAUSE: Duration = Duration::from_millis(10);

/// Removes the name of the link that a slot tells, whoever is to blame that it is still there.
pub(super) fn remove_link_name(slot: &Slot) {
    // SYNC(slot): the link's id was written before.
    let request = slot.request.load(Ordering::Acquire);
    if request == REQUEST_CLAIMED || request == REQUEST_READY {
        drop(os::unlink_shm(&link_name(join(&slot.link))));
    }
}

/// Removes a registry without a living server; waits so long for one that is dead and not gone.
/// Does nothing if it changed meanwhile: look again.
pub(super) fn remove_stale(
    name: &str,
    segment_name: &str,
    patience: Duration,
) -> Result<(), BindError> {
    let own = os::effective_uid();
    let file = match os::open_shm(segment_name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Only for its error: it knows how to tell another user's segment.
        Err(_) => match Mapping::open(segment_name, 0, of_user(own)) {
            Err(SegmentError::Missing | SegmentError::Changed) | Ok(_) => return Ok(()),
            Err(error) => return Err(bind_error(name, error)),
        },
    };
    let facts = os::file_facts(&file).map_err(examining)?;
    if facts.uid != own {
        return Err(bind_error(name, SegmentError::OtherUser { uid: facts.uid }));
    }
    let is_still_named = || is_named(segment_name, facts.identity).unwrap_or(false);
    if !claim_from_the_dead(name, &file, is_still_named, patience)? {
        return Ok(());
    }
    crate::step::reach("take-over.claimed");
    if is_still_named() {
        if let Ok(mapping) = Mapping::open(segment_name, size_of::<RegistryMemory>(), of_user(own))
        {
            remove_links_of(&mapping);
        }
        os::unlink_shm(segment_name)
            .map_err(|source| BindError::System { action: "remove a stale segment", source })?;
        crate::step::reach("take-over.unlinked");
    }
    Ok(())
}

fn examining(source: io::Error) -> BindError {
    BindError::System { action: "examine the name's segment", source }
}

/// Takes a dead server's lock. `false`: its name is gone already.
///
/// Clients that remove the same stale segment hold the lock for some microseconds each, one after
/// the other, and the first of them removes the name. They hold the cleaner's byte meanwhile, and
/// may be stopped: that is no server.
fn claim_from_the_dead(
    name: &str,
    file: &OwnedFd,
    is_still_named: impl Fn() -> bool,
    patience: Duration,
) -> Result<bool, BindError> {
    let started = Instant::now();
    let mut looks = 0;
    while !liveness::claim(file, SERVER_BYTE).map_err(examining)? {
        if !is_still_named() {
            return Ok(false);
        }
        if os::is_byte_locked(file, CLEANER_BYTE).map_err(examining)? {
            // Who does not wait has others to see to (`Registry::bind_again`).
            if started.elapsed() > CLEANER_PATIENCE.min(patience) {
                return Err(BindError::System {
                    action: "take over a dead server's name: another process is removing it, and \
                             may be stopped",
                    source: io::ErrorKind::ResourceBusy.into(),
                });
            }
        } else {
            looks += 1;
            if looks >= CLAIM_LOOKS {
                let (name, pid) = (name.to_owned(), pid_in(file));
                // It only says what to wait for; that the server is dead is told by its lock alone.
                if !os::open_pidfd(pid).is_ok_and(|pidfd| os::is_ending(&pidfd)) {
                    return Err(BindError::AlreadyServed { name, pid });
                }
                if started.elapsed() >= patience {
                    return Err(BindError::StillEnding { name, pid });
                }
                thread::sleep(ENDING_PAUSE);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(true)
}

/// The same for a client that finds its server dead. Leaves everything as it is if a server, or
/// somebody else who cleans up, holds the lock.
pub(super) fn remove_stale_mapping(mapping: &Mapping) {
    // First the one by which others know that no server has the other.
    if !liveness::claim(mapping.file(), CLEANER_BYTE).unwrap_or(false) {
        return;
    }
    if liveness::claim(mapping.file(), SERVER_BYTE).unwrap_or(false) {
        crate::step::reach("take-over.claimed");
        remove_links_of(mapping);
        mapping.unlink();
        liveness::release(mapping.file(), SERVER_BYTE);
    }
    liveness::release(mapping.file(), CLEANER_BYTE);
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
    match os::read_at(file, &mut bytes, offset) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

pub(super) fn bind_error(name: &str, error: SegmentError) -> BindError {
    match error {
        SegmentError::OtherUser { uid } => {
            BindError::OtherUser { name: name.into(), uid, own_uid: os::effective_uid() }
        }
        SegmentError::NoRoom { needed, available } => BindError::NoRoom { needed, available },
        SegmentError::System { action, source } => match Limit::of(&source) {
            Some(limit) => BindError::Limit { action, limit, source },
            None => BindError::System { action, source },
        },
        SegmentError::Missing
        | SegmentError::Exists
        | SegmentError::Changed
        | SegmentError::OpenToOthers { .. }
        | SegmentError::Unreserved { .. }
        | SegmentError::Truncated { .. } => BindError::System {
            action: "take the name: its segment changes all the time",
            source: io::ErrorKind::ResourceBusy.into(),
        },
    }
}
