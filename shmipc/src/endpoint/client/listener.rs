//! The client's listener: one thread, only where the client handles events.

use std::sync::Arc;
use std::time::Instant;

use crate::codec;
use crate::endpoint::listener::live;
use crate::endpoint::session::{Progress, Session};
use crate::error::{DecodeError, Departure};
use crate::link::Link;
use crate::link::control::Goodbye;
use crate::link::inbound::Inbound;
use crate::link::responder::{Responded, Responder};
use crate::os::wait::{self, BLIND_SLICE, Deadline, IDLE_SLICE, LEAST_SLEEP};
use crate::segment::doorbell::Slept;
use crate::typed::context::Context;
use crate::typed::dispatch::Service;
use crate::typed::listening::Listening;
use crate::typed::message::ShmMessage;

type OnDeparture = Box<dyn FnMut(&Departure) + Send>;
type OnEvent<E> = Box<dyn for<'m> FnMut(<E as ShmMessage>::Borrowed<'m>) + Send>;

/// The builder's closures as a service.
pub(super) struct EventService<E: ShmMessage> {
    pub(super) on_event: Option<OnEvent<E>>,
    pub(super) on_missed: Option<Box<dyn FnMut(u64) + Send>>,
    pub(super) on_departure: Option<OnDeparture>,
}

impl<E: ShmMessage> Default for EventService<E> {
    fn default() -> Self {
        Self { on_event: None, on_missed: None, on_departure: None }
    }
}

impl<E: ShmMessage> EventService<E> {
    pub(super) fn is_empty(&self) -> bool {
        self.on_event.is_none() && self.on_missed.is_none() && self.on_departure.is_none()
    }

    /// Whether events go to a closure here.
    pub(super) fn handles_events(&self) -> bool {
        self.on_event.is_some()
    }
}

/// A handler of all events, with the builder's other closures beside it.
pub(super) struct Both<E: ShmMessage> {
    pub(super) handler: Box<dyn Service<E>>,
    pub(super) closures: EventService<E>,
}

impl<E: ShmMessage> Service<E> for Both<E> {
    fn handle(
        &mut self,
        cx: &Context<E>,
        payload: &[u8],
        responder: Responder<'_>,
    ) -> Result<Responded, DecodeError> {
        self.handler.handle(cx, payload, responder)
    }

    fn peer_arrived(&mut self, cx: &Context<E>) {
        self.handler.peer_arrived(cx);
    }

    fn peer_departed(&mut self, cx: &Context<E>, departure: &Departure) {
        self.handler.peer_departed(cx, departure);
        self.closures.peer_departed(cx, departure);
    }

    fn messages_missed(&mut self, cx: &Context<E>, count: u64) {
        self.handler.messages_missed(cx, count);
        self.closures.messages_missed(cx, count);
    }
}

impl<E: ShmMessage> Service<E> for EventService<E> {
    fn handle(
        &mut self,
        cx: &Context<E>,
        payload: &[u8],
        responder: Responder<'_>,
    ) -> Result<Responded, DecodeError> {
        let message: E::Borrowed<'_> = codec::decode(payload)?;
        let variant = E::variant_index(&message) as usize;
        let wants_reply = E::VARIANTS.get(variant).is_some_and(|variant| variant.reply.is_some());
        Ok(match &mut self.on_event {
            Some(on_event) if !wants_reply => {
                on_event(message);
                responder.acknowledge()
            }
            _ => {
                if responder.is_nobody() {
                    self.messages_missed(cx, 1);
                }
                responder.not_handled()
            }
        })
    }

    fn peer_arrived(&mut self, _cx: &Context<E>) {}

    fn peer_departed(&mut self, _cx: &Context<E>, departure: &Departure) {
        if let Some(on_departure) = &mut self.on_departure {
            on_departure(departure);
        }
    }

    fn messages_missed(&mut self, _cx: &Context<E>, count: u64) {
        if let Some(on_missed) = &mut self.on_missed {
            on_missed(count);
        }
    }
}

pub(super) struct Listener<E: ShmMessage> {
    session: Session<E>,
    service: Box<dyn Service<E>>,
    listening: Arc<Listening>,
    /// When it was last asked whether the server lives.
    looked: Instant,
}

impl<E: ShmMessage> Listener<E> {
    pub(super) fn new(
        link: Arc<Link>,
        inbound: Inbound,
        context: Context<E>,
        service: Box<dyn Service<E>>,
        listening: Arc<Listening>,
    ) -> Self {
        let session = Session::new(link, inbound, context);
        Self { session, service, listening, looked: Instant::now() }
    }

    pub(super) fn run(self) {
        self.run_as(Self::work);
    }

    fn run_as(self, work: impl FnOnce(&mut Self) -> Departure) {
        let listening = self.listening.clone();
        let is_inherited = |listener: &Self| listener.session.link().is_inherited();
        // However the listening ended, the link ends with it: nobody would hear what the server
        // says.
        let close = |listener: &mut Self, departure: Option<Departure>| {
            listener.end(&departure.unwrap_or(Departure::ClosedHere));
        };
        if let Some(how) = live(self, is_inherited, work, close) {
            listening.set_ended(how);
        }
    }

    fn end(&mut self, departure: &Departure) {
        self.session.link().close(&Goodbye::Closed, departure.clone());
        self.session.departed(self.service.as_mut(), departure);
    }

    /// Listens until the link ends, and tells how it did.
    fn work(&mut self) -> Departure {
        let service = self.service.as_mut();
        self.session.arrived(service);
        loop {
            // A forked child that came out of a handler here listens to nobody (`run`).
            if self.session.link().is_inherited() {
                return Departure::ClosedHere;
            }
            if self.listening.is_stopping() {
                return Departure::ClosedHere;
            }
            let stopping = || self.listening.is_stopping();
            let stuck = match self.session.process(service, stopping) {
                Progress::Busy => continue,
                Progress::Idle => false,
                Progress::Stuck => true,
                Progress::Ended(departure) => return departure,
            };
            let link = self.session.link().clone();
            let (session, listening) = (&mut self.session, &self.listening);
            let found = wait::spin(link.spin_budget(), &mut Deadline::never(), || {
                (listening.is_stopping() || !stuck && session.has_data()).then_some(())
            });
            if found.is_none() {
                sleep(&link, session, listening, stuck, &mut self.looked);
            }
        }
    }
}

fn sleep<E: ShmMessage>(
    link: &Link,
    session: &mut Session<E>,
    listening: &Listening,
    stuck: bool,
    looked: &mut Instant,
) {
    let bell = link.listener_bell();
    let token = bell.token();
    let slice = if link.is_watched() { IDLE_SLICE } else { BLIND_SLICE };
    let slept = bell.sleep_unless(token, session, |session| {
        let quiet = session.is_quiet(stuck) && !listening.is_stopping();
        // No longer than to the next look, however often rings begin the sleep anew.
        quiet.then(|| slice.saturating_sub(looked.elapsed()).max(LEAST_SLEEP))
    });
    // In models no time passes.
    if slept != Slept::NotAtAll && !cfg!(loom) && looked.elapsed() >= slice {
        *looked = Instant::now();
        drop(link.ended_after_a_wait());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::connect::{self, Wanted};
    use super::*;
    use crate::endpoint::server::Server;
    use crate::link::LinkPolicy;
    use crate::typed::listening::End;
    use crate::typed::message::NoEvents;
    use std::time::Duration;

    /// It was swallowed once, and the link stayed open with nobody behind it.
    #[test]
    fn a_listener_that_panics_by_itself_ends_its_link_and_says_so() {
        let name = format!("test-deaf-{}", std::process::id());
        let server = Server::<NoEvents>::bind(&name).unwrap();
        let running = server.serve_fn(|_cx, message| match message {}).unwrap();
        let wanted = Wanted {
            name: &name,
            server_uid: crate::os::effective_uid(),
            ring_size: None,
            max_link_memory: 64 << 20,
            max_message: None,
            connect_deadline: Duration::from_secs(10),
            policy: LinkPolicy { spin: Duration::ZERO, queue_maximum: 0, close_when_full: false },
            handles_events: false,
            hook: None,
        };
        let (link, inbound) = connect::connect::<NoEvents>(&wanted).unwrap();
        let (told, departed) = std::sync::mpsc::channel();
        let service = EventService::<NoEvents> {
            on_departure: Some(Box::new(move |how| told.send(how.clone()).unwrap())),
            ..EventService::default()
        };
        let listening = Arc::new(Listening::new());
        let service = Box::new(service);
        let listener =
            Listener::new(link.clone(), inbound, Context::detached(), service, listening.clone());
        listener.run_as(|_| panic!("the library's own fault"));
        assert_eq!(departed.recv().unwrap(), Departure::ClosedHere);
        assert_eq!(link.ended(), Some(Departure::ClosedHere));
        let how = listening.wait_ended(Some(Duration::ZERO));
        assert!(matches!(how, Some(Err(End::Panicked(text))) if text == "the library's own fault"));
        while !running.handle().peers().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.stop().unwrap();
    }
}
