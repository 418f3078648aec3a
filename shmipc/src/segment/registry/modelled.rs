//! A registry in a model: private memory instead of a segment.

use std::ptr::NonNull;
use std::sync::Arc;

use super::bind::Registry;
use super::memory::RegistryMemory;
use super::schema::RegistryOptions;
use super::view::RegistryView;
use crate::segment::doorbell::{Bell, Doorbell};
use crate::segment::mapping::Mapping;

/// Both sides of a registry: the server's, a client's.
pub(crate) fn in_memory() -> (Registry, RegistryView) {
    let memory = Arc::new(RegistryMemory::default());
    let [server, client] = Mapping::in_memory(memory.clone());
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
    let registry = Registry::in_memory(server, place, bell(), options());
    (registry, RegistryView::in_memory(client, place, bell(), options()))
}
