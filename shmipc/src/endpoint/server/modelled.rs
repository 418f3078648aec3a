//! A server in a model: its listener with one link or none, without names and segments.

use std::sync::Arc;
use std::time::Duration;

use super::listener::Listener;
use crate::link::{Link, LinkPolicy};
use crate::segment::doorbell::Doorbell;
use crate::segment::link::LinkSegment;
use crate::segment::registry::{Registry, RegistryOptions};
use crate::typed::dispatch::Service;
use crate::typed::message::ShmMessage;
use crate::typed::server::{ServerHandle, Settings, Shared};

/// The listener's work as a closure for a thread, a handle to stop it, and its link.
pub(crate) fn serve<P: ShmMessage>(
    registry: Registry,
    segment: Option<LinkSegment>,
    policy: LinkPolicy,
    service: Box<dyn Service<P>>,
) -> (impl FnOnce() + 'static, ServerHandle<P>, Option<Arc<Link>>) {
    let registry_options = RegistryOptions {
        doorbell: Doorbell::Futex,
        checksums: true,
        max_message: 1024,
        message_ring: 256,
        reply_ring: 256,
        max_links: 2,
    };
    let settings = Settings {
        registry: registry_options,
        admission: crate::Admission::default(),
        policy,
        deadline: Duration::MAX,
        max_link_memory: 1 << 20,
        hook: None,
    };
    let shared = Arc::new(Shared::new(registry, settings));
    let mut listener = Listener::new(shared.clone(), service);
    if let Some(segment) = segment {
        listener.take_on_in_memory(segment);
    }
    let link = shared.links().values().next().cloned();
    (move || listener.run(), ServerHandle::new(shared), link)
}
