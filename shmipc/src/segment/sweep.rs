//! Removes what dead processes of this user left: names of links that a double kill left behind,
//! and registries that nobody bound again.

use std::fs::ReadDir;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::layout::{LAYOUT_VERSION, MAGIC};
use super::mapping::is_named;
use super::name::{LINK_PREFIX, REGISTRY_PREFIX};
use crate::os;
use crate::os::fork::unless_held;
use crate::os::generation::generation;
use crate::os::liveness::{self, CLEANER_BYTE};
use crate::os::thread::{Hook, Purpose, spawn};

/// How long a sweep keeps its caller. Some thousand names are looked at in it; where there are
/// more, a thread of its own goes on.
const PATIENCE: Duration = Duration::from_millis(5);
/// That thread works so long, and rests as long, again and again.
const PORTION: Duration = Duration::from_millis(5);
/// A file that its maker did not finish counts as left behind from this age on: a younger one may
/// just be being made.
const AGE: Duration = Duration::from_secs(10);
/// In both kinds the byte of the process that made it.
const LIFE_BYTE: i64 = liveness::SERVER_BYTE;
const _: () = assert!(LIFE_BYTE == liveness::LINK_CLIENT_BYTE);

/// The generation of the process whose sweep goes on in a thread, plus one; zero: none does.
static GOES_ON: AtomicU32 = AtomicU32::new(0);

/// Cleans up, as far as it takes next to no time; the rest is done meanwhile.
/// `hook`: the user's, for the thread that goes on with it.
pub(crate) fn sweep(hook: Option<Hook>) {
    // Without a directory there is nothing to clean.
    let Ok(mut names) = os::shm_directory() else { return };
    if look_at(&mut names, PATIENCE) {
        return;
    }
    let own = generation().wrapping_add(1);
    // Relaxed: it guards nothing but itself. A forked child has its own number, and no such thread.
    if GOES_ON.swap(own, Ordering::Relaxed) == own {
        return;
    }
    let go_on = move || {
        while !look_at(&mut names, PORTION) {
            std::thread::sleep(PORTION);
        }
        GOES_ON.store(0, Ordering::Relaxed);
    };
    if spawn(Purpose::Sweep, hook, go_on).is_err() {
        // The next sweep begins anew.
        GOES_ON.store(0, Ordering::Relaxed);
    }
}

/// Looks at names until the time is up. `true`: at all that there were.
fn look_at(names: &mut ReadDir, time: Duration) -> bool {
    /// Names between two looks at the clock.
    const LOOKS: usize = 16;
    let started = Instant::now();
    loop {
        for _ in 0..LOOKS {
            let Some(entry) = names.next() else { return true };
            let name = entry.ok().and_then(|entry| entry.file_name().into_string().ok());
            let is_ours =
                |name: &String| [LINK_PREFIX, REGISTRY_PREFIX].iter().any(|p| name.starts_with(p));
            if let Some(name) = name.filter(is_ours) {
                // A name that cannot be examined is somebody else's business.
                drop(remove_if_dead(&name));
            }
        }
        if started.elapsed() >= time {
            return false;
        }
    }
}

fn remove_if_dead(name: &str) -> io::Result<()> {
    let named = os::named_facts(name)?;
    if named.uid == os::effective_uid() {
        let is_old = named.modified.elapsed().is_ok_and(|age| age > AGE);
        unless_held(named.identity, || {
            // As above.
            drop(examine(name, named.identity, is_old));
        });
    }
    Ok(())
}

/// Waits for nobody: see [`unless_held`].
fn examine(name: &str, identity: (u64, u64), is_old: bool) -> io::Result<()> {
    let file = os::open_shm(name)?;
    if os::file_facts(&file)?.identity != identity || os::is_byte_locked(&file, LIFE_BYTE)? {
        return Ok(());
    }
    // The lock makes sure that nobody takes it into use meanwhile.
    if (is_old || is_finished(&file)?)
        && os::try_lock_byte(&file, CLEANER_BYTE)?
        && os::try_lock_byte(&file, LIFE_BYTE)?
        && is_named(name, identity)?
    {
        os::unlink_shm(name)?;
    }
    Ok(())
}

/// Has what has this name now no other, and did its maker finish it?
pub(crate) fn is_single_and_finished(name: &str) -> io::Result<bool> {
    let file = os::open_shm(name)?;
    Ok(os::file_facts(&file)?.links == 1 && is_finished(&file)?)
}

/// Did its maker get as far as to say so? It had its lock then: without it, it is dead.
fn is_finished(file: &OwnedFd) -> io::Result<bool> {
    // Both kinds begin with the magic and the version.
    let mut head = [0; 12];
    os::read_at(file, &mut head, 0)?;
    let (magic, version) = head.split_at(8);
    Ok(magic == MAGIC.to_ne_bytes() && version == LAYOUT_VERSION.to_ne_bytes())
}
