//! Names that were lost while the server lived. A file without a name cannot be given one again, so
//! the name gets a registry of its own, a *door*: clients that come from then on mark their links
//! and offer new ones there, and a thread passes that on to the registry that the listener sleeps
//! on. The clients that came before notice nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::os::thread::{Hook, Purpose, spawn};
use crate::os::wait::IDLE_SLICE;
use crate::segment::registry::{Offer, Registry};

/// Most doors at a time. Beyond, the name is not renewed until the clients of one are gone.
const MAXIMUM_DOORS: usize = 16;

/// A registry beside the server's first one.
struct Door {
    number: u64,
    registry: Arc<Registry>,
    /// The slot of the last offer that was looked at.
    last_slot: usize,
    closed: Arc<AtomicBool>,
}

/// A server's doors, the newest last.
#[derive(Default)]
pub(super) struct Doors {
    doors: Vec<Door>,
    last_number: u64,
    /// Counts how often one was asked for an offer.
    asked: usize,
    /// Through which door a link came, by its index.
    ways: BTreeMap<usize, u64>,
}

impl Doors {
    /// The registry that the name should lead to, if it is not the first one.
    pub(super) fn newest(&self) -> Option<&Arc<Registry>> {
        self.doors.last().map(|door| &door.registry)
    }

    /// All of their registries.
    pub(super) fn registries(&self) -> impl Iterator<Item = &Arc<Registry>> {
        self.doors.iter().map(|door| &door.registry)
    }

    /// Is there room for one more?
    pub(super) fn has_room(&self) -> bool {
        self.doors.len() < MAXIMUM_DOORS
    }

    /// Passes on to `first` what comes through this door.
    pub(super) fn open(
        &mut self,
        registry: Registry,
        first: &Arc<Registry>,
        hook: Option<Hook>,
    ) -> io::Result<()> {
        let (registry, closed) = (Arc::new(registry), Arc::new(AtomicBool::new(false)));
        let (door, first, until) = (registry.clone(), first.clone(), closed.clone());
        spawn(Purpose::Door, hook, move || pass_on(&door, &first, &until))?;
        self.last_number += 1;
        self.doors.push(Door { number: self.last_number, registry, last_slot: 0, closed });
        Ok(())
    }

    /// An offer that came through one of them: of the one that was asked longest ago, so that
    /// nobody who offers without end keeps others waiting.
    pub(super) fn next_offer(&mut self) -> Option<(Arc<Registry>, u64, Offer)> {
        for _ in 0..self.doors.len() {
            self.asked = self.asked.wrapping_add(1);
            let index = self.asked % self.doors.len();
            let door = self.doors.get_mut(index)?;
            if let Some(offer) = door.registry.next_offer(door.last_slot) {
                door.last_slot = offer.slot;
                return Some((door.registry.clone(), door.number, offer));
            }
        }
        None
    }

    /// Remembers through which door a link came.
    pub(super) fn came(&mut self, index: usize, number: u64) {
        self.ways.insert(index, number);
    }

    /// A link ended.
    pub(super) fn left(&mut self, index: usize) {
        self.ways.remove(&index);
    }

    /// Closes those that nobody uses and that the name does not lead to any more.
    pub(super) fn close_unused(&mut self) {
        let newest = self.doors.last().map(|door| door.number);
        let ways = &self.ways;
        self.doors.retain(|door| {
            let used = Some(door.number) == newest || ways.values().any(|way| *way == door.number);
            if !used {
                door.close();
            }
            used
        });
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.doors.iter().for_each(Door::close);
    }
}

impl Door {
    fn close(&self) {
        // SYNC(door-closed)
        self.closed.store(true, Ordering::Release);
        self.registry.bell().ring_own();
        self.registry.bell().ring();
        // Its name, if it still has it, is nobody else's.
        drop(self.registry.release());
    }
}

/// The door's thread: sleeps on the door's bell as a listener does (`Listener::sleep`).
fn pass_on(door: &Registry, first: &Registry, closed: &AtomicBool) {
    // SYNC(door-closed)
    while !closed.load(Ordering::Acquire) && !door.is_inherited() {
        let token = door.bell().token();
        door.bell().sleep_unless(token, &mut &*door, |door| {
            // SYNC(door-closed)
            (!door.has_ready() && !closed.load(Ordering::Acquire)).then_some(IDLE_SLICE)
        });
        let mut passed = false;
        let offered = door.take_ready(|index| {
            first.mark_ready(index);
            passed = true;
        });
        if offered {
            first.call_for_offers();
        }
        if passed || offered {
            // This process's own word is heard whatever others do to the shared one.
            first.bell().ring_own();
        }
    }
}
