//! Attaching to segments that a stranger wrote: both sides of a registry, and the server's of a
//! link. The segments are real files; the input is patches upon what an honest process wrote there.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::Script;
use crate::ShmMessage;
use crate::link::inbound::Inbound;
use crate::os::effective_uid;
use crate::ring::Consumer;
use crate::ring::frame::Checksums;
use crate::segment::admission::Admission;
use crate::segment::doorbell::Doorbell;
use crate::segment::link::{BellId, LaneId, LinkFault, LinkOptions, LinkSegment, ServerIdentity};
use crate::segment::name::{link_name, registry_name};
use crate::segment::registry::{Registry, RegistryOptions, RegistryView};
use crate::typed::message::protocol;

/// A protocol of both kinds of messages.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(crate = crate)]
#[allow(dead_code, reason = "never sent")]
enum Spoken {
    Tell {
        text: String,
    },
    #[shm(reply = u64)]
    Ask(u32),
}

const RING: usize = 4096;
const OPTIONS: RegistryOptions = RegistryOptions {
    doorbell: Doorbell::Futex,
    checksums: true,
    max_message: 1 << 16,
    message_ring: RING,
    reply_ring: RING,
    max_links: 64,
};
/// Where a registry's slots end and its schema begins.
const SLOTS_END: u64 = 9344;

/// A registry of this thread's own, bound once.
struct Bound {
    name: String,
    registry: Registry,
    file: File,
}

thread_local! {
    static BOUND: Option<Bound> = bind();
}

fn bind() -> Option<Bound> {
    let name = format!("fuzz-{:032x}", crate::os::random_u128().ok()?);
    let registry =
        Registry::bind(&name, protocol::<Spoken>(), &OPTIONS, &Admission::SameUser).ok()?;
    let name = registry_name(&name).ok()?;
    let file = open(&name)?;
    Some(Bound { name, registry, file })
}

fn open(name: &str) -> Option<File> {
    OpenOptions::new().read(true).write(true).open(format!("/dev/shm/{name}")).ok()
}

/// Patches a registry or a link, and attaches.
pub fn registry(data: &[u8]) {
    let mut script = Script(data);
    match script.byte() {
        Some(choice) if choice % 2 == 0 => {
            BOUND.with(|bound| attach_registry(bound.as_ref(), choice, &mut script));
        }
        Some(_) => attach_link(&mut script),
        None => {}
    }
}

fn patch(file: &File, script: &mut Script<'_>, length: u64) {
    while let (Some(offset), Some(count)) = (script.word(), script.byte()) {
        let offset = u64::from(offset) % length;
        let bytes = script.bytes(usize::from(count % 64));
        let bytes = &bytes[..bytes.len().min((length - offset) as usize)];
        assert!(file.write_all_at(bytes, offset).is_ok());
    }
}

fn attach_registry(bound: Option<&Bound>, choice: u8, script: &mut Script<'_>) {
    assert!(bound.is_some(), "no room for a registry");
    let Some(bound) = bound else { return };
    let registry = &bound.registry;
    // As an honest server left it.
    assert!(bound.file.write_all_at(&[0; SLOTS_END as usize - 128], 128).is_ok());
    registry.publish();
    let length = bound.file.metadata().map_or(SLOTS_END, |facts| facts.len());
    patch(&bound.file, script, length);
    if let Ok(view) = RegistryView::open(&bound.name, effective_uid(), protocol::<Spoken>()) {
        assert!(view.is_alive());
        // The other kind runs the system's code on that memory: its peer is trusted, as its docs
        // say.
        let rings = view.options().doorbell == Doorbell::Futex;
        if let Some(slot) = view.claim_slot() {
            slot.announce(u128::from(choice) << 100);
            let _ = slot.answer(u128::from(choice) << 100);
            if rings {
                slot.offer();
            }
        }
        if rings {
            view.mark_ready(usize::from(choice) * 40);
        }
    }
    serve(registry);
    registry.publish();
    assert!(
        RegistryView::open(&bound.name, effective_uid(), protocol::<Spoken>()).is_ok(),
        "the registry was not mended"
    );
}

/// What the server does with it.
fn serve(registry: &Registry) {
    registry.take_ready(|link| assert!(link < crate::segment::registry::MAXIMUM_LINKS));
    for _ in 0..=crate::segment::registry::SLOTS {
        let Some(offer) = registry.next_offer(0) else { return };
        let refused = LinkSegment::open(offer.link_id, |_| Ok(()), |_| Ok(())).is_err();
        assert!(refused, "a link that nobody made");
        registry.answer(offer, Err(&crate::Refusal::BadLink));
        let next = registry.next_offer(0);
        assert!(next.is_none_or(|next| next.slot != offer.slot), "an offer that was answered");
    }
    assert!(registry.next_offer(0).is_none(), "more offers than slots");
}

fn attach_link(script: &mut Script<'_>) {
    let Ok(id) = crate::os::random_u128() else { return };
    let options = LinkOptions {
        doorbell: Doorbell::Futex,
        checksums: Checksums::On,
        handles_events: false,
        message_ring: RING,
        reply_ring: RING,
        max_message: 1 << 16,
        fingerprint: Spoken::FINGERPRINT,
    };
    let uid = effective_uid();
    let own = ServerIdentity { pid: 1, uid, gid: 0, admitted_group: None };
    let Ok(client) = LinkSegment::create(id, options, own) else { return };
    if let Some(file) = open(&link_name(id)) {
        patch(&file, script, options.segment_length() as u64);
    }
    let fits = |found: &LinkOptions| {
        let fits = found.segment_length() <= options.segment_length();
        let fits = fits && found.doorbell == Doorbell::Futex;
        if fits { Ok(()) } else { Err(LinkFault::Damaged("options that are not allowed")) }
    };
    if let Ok(server) = LinkSegment::open(id, |_| Ok(()), fits) {
        assert_eq!(server.options().segment_length(), options.segment_length());
        use_link(&server);
        server.accept(3, 4);
        assert_eq!(client.accepted(), Some((3, 4)));
    }
    client.unlink();
}

fn use_link(server: &LinkSegment) {
    let _ = (server.peer(), server.peer_goodbye(), server.shares_processor());
    for bell in [BellId::ClientReplies, BellId::ServerReplies] {
        if let Some(bell) = server.bell(bell) {
            bell.ring();
        }
    }
    for lane in [LaneId::MessagesToServer, LaneId::RepliesToServer] {
        let Some(lane) = server.lane(lane) else { continue };
        // SAFETY: the one consumer of this lane in this process.
        let consumer = unsafe { Consumer::new(lane, server.options().checksums) };
        let mut inbound = Inbound::new(consumer, server.options().max_message);
        for _ in 0..50 {
            match inbound.next() {
                Ok(Some(_)) => assert!(inbound.payload().len() <= 1 << 30),
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
}
