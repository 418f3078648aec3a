//! A registry in a model: private memory instead of a segment.

use std::ptr::NonNull;
use std::sync::Arc;

use super::bind::Registry;
use super::memory::{RegistryMemory, Slot};
use super::schema::RegistryOptions;
use super::view::RegistryView;
use crate::segment::doorbell::{Bell, BellMemory, Doorbell};
use crate::segment::mapping::Mapping;
use crate::sync::{AtomicU32, AtomicU64, Isolated};

/// Both sides of a registry: the server's, a client's.
pub(crate) fn private() -> (Registry, RegistryView) {
    let memory = Arc::new(RegistryMemory::private());
    let [server, client] = Mapping::private(memory.clone());
    let bell = || {
        // SAFETY: fresh, and the memory is the owner.
        unsafe { Bell::attach(NonNull::from(&memory.bell), Doorbell::Futex, memory.clone()) }
            .expect("a futex always attaches")
    };
    let place = NonNull::from(&*memory);
    let options = || RegistryOptions {
        doorbell: Doorbell::Futex,
        checksums: true,
        max_message: 1024,
        message_ring: 256,
        reply_ring: 256,
        max_links: 1,
    };
    let registry = Registry::private(server, place, bell(), options());
    (registry, RegistryView::private(client, place, bell(), options()))
}

impl RegistryMemory {
    fn private() -> Self {
        let word = || AtomicU64::new(0);
        let half = || AtomicU32::new(0);
        Self {
            magic: word(),
            layout_version: half(),
            doorbell: half(),
            length: word(),
            generation: word(),
            fingerprint: word(),
            pid: half(),
            flags: half(),
            max_message: word(),
            message_ring: word(),
            reply_ring: word(),
            max_links: half(),
            schema_length: half(),
            admitted_group: word(),
            reserved: [(); 5].map(|()| word()),
            bell: BellMemory::private(),
            listener_waits: Isolated(half()),
            ready_summary: Isolated(word()),
            ready: std::array::from_fn(|_| word()),
            slots: std::array::from_fn(|_| Slot {
                request: half(),
                reserved: half(),
                link: [word(), word()],
                answer: half(),
                reserved_too: half(),
                answered: [word(), word()],
            }),
        }
    }
}
