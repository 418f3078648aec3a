//! Several threads and processes that find one server dead.

use std::sync::{Arc, Barrier};
use std::thread;

use super::memory::{RegistryMemory, Slot};
use super::*;
use crate::os::liveness::{self, SERVER_BYTE};
use crate::ring::MINIMUM_CAPACITY;
use crate::segment::admission::Admission;
use crate::segment::doorbell::Doorbell;
use crate::segment::error::SegmentError;
use crate::segment::mapping::Mapping;
use crate::segment::name::registry_name;
use crate::typed::message::{NoEvents, protocol};

fn bind(name: &str) -> Registry {
    let options = RegistryOptions {
        doorbell: Doorbell::Futex,
        checksums: true,
        max_message: MINIMUM_CAPACITY,
        message_ring: MINIMUM_CAPACITY,
        reply_ring: MINIMUM_CAPACITY,
        max_links: 1,
    };
    Registry::bind(name, protocol::<NoEvents>(), &options, &Admission::SameUser)
        .expect("nobody has the name")
}

/// The threads of one client share its descriptor, and so the lock on it: the first one to be
/// through gave the lock back under the others, and the last one to remove the name removed the
/// next server's.
#[test]
fn threads_that_clean_up_after_a_dead_server_leave_its_successor_alone() {
    const THREADS: usize = 6;
    let uid = crate::os::effective_uid();
    let name = format!("test-clean-up-{}", std::process::id());
    let segment_name = registry_name(&name).unwrap();
    for round in 0..300 {
        let dead = bind(&name);
        let Ok(view) = RegistryView::open(&segment_name, uid, protocol::<NoEvents>()) else {
            panic!("no view")
        };
        let view = Arc::new(view);
        dead.die();
        let start = Arc::new(Barrier::new(THREADS + 1));
        let cleaners: Vec<_> = (0..THREADS)
            .map(|_| {
                let (view, start) = (Arc::clone(&view), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    view.remove_if_stale();
                })
            })
            .collect();
        start.wait();
        let successor = loop {
            match Mapping::create(&segment_name, 4096, SERVER_BYTE) {
                Ok(successor) => break successor,
                Err(SegmentError::Exists | SegmentError::Changed) => {}
                Err(other) => panic!("{other:?}"),
            }
        };
        cleaners.into_iter().for_each(|cleaner| cleaner.join().unwrap());
        assert!(successor.is_named().unwrap(), "round {round}: the successor lost its name");
        assert!(liveness::is_alive(view_of(&segment_name).file(), SERVER_BYTE));
        successor.unlink();
    }
}

fn view_of(segment_name: &str) -> Mapping {
    Mapping::open(segment_name, 0, |_| Ok(())).expect("the successor is there")
}

#[test]
fn layout_page_registry() {
    use crate::checks::layout_page::{check, offsets};
    check(
        "Registry",
        offsets!(RegistryMemory: magic, layout_version, doorbell, length, generation, fingerprint,
            pid, flags, max_message, message_ring, reply_ring, max_links, schema_length,
            admitted_group, bell, listener_waits, ready_summary, ready, slots),
    );
    check("Hand-over slot", offsets!(Slot: request, link, answer, answered));
}
