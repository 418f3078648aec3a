//! A client's listener in a model.

use std::sync::Arc;

use super::listener::Listener;
use crate::error::Departure;
use crate::link::Link;
use crate::link::control::Goodbye;
use crate::link::inbound::Inbound;
use crate::typed::context::Context;
use crate::typed::dispatch::Service;
use crate::typed::listening::Listening;
use crate::typed::message::ShmMessage;

/// The listener's work as a closure for a thread, and what stops it.
pub(crate) fn listen<E: ShmMessage>(
    link: Arc<Link>,
    inbound: Inbound,
    service: Box<dyn Service<E>>,
) -> (impl FnOnce() + 'static, impl FnOnce() + 'static) {
    let listening = Arc::new(Listening::new());
    let listener =
        Listener::new(link.clone(), inbound, Context::detached(), service, listening.clone());
    let stop = move || {
        listening.stop();
        link.close(&Goodbye::Closed, Departure::ClosedHere);
        link.wake_own_side();
    };
    (move || listener.run(), stop)
}
