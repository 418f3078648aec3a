//! A link in a model: private memory instead of a segment.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::ring::foreign::Place;
use crate::sync::AtomicU64;

loom::lazy_static! {
    /// Links that can be opened, by id.
    static ref OFFERED: Mutex<HashMap<u128, LinkSegment>> = Mutex::default();
}

struct Memory {
    words: LinkMemory,
    rings: [Box<[AtomicU64]>; 4],
}

impl LinkSegment {
    /// Both sides of a link: the client's, the server's.
    pub(crate) fn in_memory(options: LinkOptions) -> [Self; 2] {
        let rings = [options.message_ring, options.reply_ring];
        let ring = |bytes: usize| (0..bytes / 8).map(|_| AtomicU64::new(0)).collect();
        let [messages, replies] = rings;
        let rings = [ring(messages), ring(messages), ring(replies), ring(replies)];
        let memory = Arc::new(Memory { words: LinkMemory::default(), rings });
        let mut roles = [Role::Client, Role::Server].into_iter();
        Mapping::in_memory(memory.clone()).map(|mapping| Self {
            mapping,
            memory: NonNull::from(&memory.words),
            role: roles.next().expect("two"),
            options,
            // Nobody watches its own process.
            peer: PeerIdentity { pid: std::process::id(), uid: 0, gid: 0 },
        })
    }

    /// A client's link that [`open`](Self::open) finds.
    pub(crate) fn offered(id: u128, options: LinkOptions) -> Self {
        let [client, server] = Self::in_memory(options);
        OFFERED.lock().expect("no panic under the lock").insert(id, server);
        client
    }

    pub(super) fn take_offered(id: u128) -> Option<Self> {
        OFFERED.lock().expect("no panic under the lock").remove(&id)
    }

    pub(super) fn ring(&self, id: LaneId, _: usize) -> Option<Place> {
        let memory = self.mapping.memory.downcast_ref::<Memory>()?;
        Some(Place::new(NonNull::from(&*memory.rings[id as usize]).cast()))
    }
}
