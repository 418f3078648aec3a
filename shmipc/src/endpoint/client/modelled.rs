//! A client's listener in a model.

use std::sync::Arc;

use super::ListenerState;
use super::listener::Listener;
use crate::link::Link;
use crate::link::inbound::Inbound;
use crate::typed::context::Context;
use crate::typed::dispatch::Service;
use crate::typed::message::ShmMessage;

/// The listener's work as a closure for a thread, and what stops it.
pub(crate) fn listen<E: ShmMessage>(
    link: Arc<Link>,
    inbound: Inbound,
    service: Box<dyn Service<E>>,
) -> (impl FnOnce() + 'static, impl FnOnce() + 'static) {
    let state = Arc::<ListenerState>::default();
    let listener =
        Listener::new(link.clone(), inbound, Context::detached(), service, state.clone());
    (move || listener.run(), move || state.stop(&link))
}
