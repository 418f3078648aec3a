//! Links that clients offer: opened, checked, taken on or refused, and answered.

use super::super::refusal;
use super::Listener;
use crate::endpoint::session::Session;
use crate::error::Refused;
use crate::link::{Attention, Link};
use crate::panics::caught;
use crate::segment::Candidate;
use crate::segment::link::{LaneId, LinkFault, LinkOptions, LinkSegment};
use crate::segment::registry::{Offer, Registry};
use crate::sync::{Fault, broken};
use crate::typed::context::Context;
use crate::typed::dispatch;
use crate::typed::message::ShmMessage;
use crate::typed::server::ServerHandle;

impl<P: ShmMessage> Listener<P> {
    /// Takes one offered link on, or not. `false`: nobody offers any.
    pub(super) fn consider_next(&mut self) -> bool {
        // The doors' turn comes after each of the first registry's.
        self.doors_next = !self.doors_next && self.doors.newest().is_some();
        match self.doors_next {
            true => self.consider_next_of_doors() || self.consider_next_of_first(),
            false => self.consider_next_of_first() || self.consider_next_of_doors(),
        }
    }

    /// `false`: nobody offers anything there.
    fn consider_next_of_first(&mut self) -> bool {
        let first = self.shared.registry.clone();
        let Some(offer) = first.next_offer(self.last_slot) else { return false };
        self.last_slot = offer.slot;
        self.consider(&first, offer);
        true
    }

    fn consider_next_of_doors(&mut self) -> bool {
        let Some((door, number, offer)) = self.doors.next_offer() else { return false };
        if let Some(index) = self.consider(&door, offer) {
            self.doors.came(index, number);
        }
        true
    }

    /// Takes a link on or not, and tells its client. Gives its index.
    fn consider(&mut self, registry: &Registry, offer: Offer) -> Option<usize> {
        let taken = self.take_on(registry.owner(), offer);
        registry.answer(offer, taken.as_ref().map(|_| ()).map_err(|refused| &refused.refusal));
        match taken {
            Ok(index) => {
                // After the answer: who is woken by the bell looks for it once and sleeps on.
                if !broken(Fault::AnswerRungEarly) {
                    self.tell_answer(index);
                }
                self.welcome(index);
                Some(index)
            }
            Err(refused) => {
                if let Some(tell) = &mut self.on_refused {
                    // Its own business; the server's is to go on.
                    drop(caught(|| tell(&refused)));
                    if self.shared.is_inherited() {
                        dispatch::leave();
                    }
                }
                None
            }
        }
    }

    /// Opens an offered link. Gives its index. `owner`: the user who bound the name.
    fn take_on(&mut self, owner: u32, offer: Offer) -> Result<usize, Refused> {
        let settings = &self.shared.settings;
        let index = self.sessions.free();
        if index >= settings.registry.max_links {
            return Err(refusal::too_many(settings.registry.max_links));
        }
        let admits = |link: &Candidate<'_>| settings.admission.check_link(link, owner);
        // Before anything is run on the link's memory.
        let fits = |options: &LinkOptions| {
            let (length, maximum) = (options.segment_length(), settings.max_link_memory);
            let fits = options.max_message <= settings.registry.max_message
                && options.doorbell == settings.registry.doorbell
                && options.fingerprint == P::FINGERPRINT;
            match fits {
                true if length <= maximum => Ok(()),
                true => Err(LinkFault::TooLarge { length, maximum }),
                false => Err(LinkFault::Damaged("options that this server does not allow")),
            }
        };
        let segment = LinkSegment::open(offer.link_id, admits, fits)
            .map_err(|fault| refusal::told(&fault, &settings.admission, owner))?;
        let id = self.last_id + 1;
        let attention = Attention::Local(self.shared.registry.clone(), index);
        segment.accept(index, id);
        crate::step::reach("hand-over.accepted");
        let hook = settings.hook.clone();
        let (link, inbound) =
            Link::new(segment, id, attention, settings.policy, hook).map_err(|fault| {
                let fault = LinkFault::Damaged(fault.0);
                refusal::told(&fault, &settings.admission, owner)
            })?;
        self.last_id = id;
        self.shared.links().insert(id, link.clone());
        let context = Context::of_server(link.clone(), ServerHandle::new(self.shared.clone()));
        self.sessions.put(index, Session::new(link, inbound, context));
        if broken(Fault::AnswerRungEarly) {
            self.tell_answer(index);
        }
        Ok(index)
    }

    /// Wakes the client that waits for its offer's answer.
    fn tell_answer(&self, index: usize) {
        if let Some(session) = self.sessions.get(index) {
            session.link().ring_for_data(LaneId::RepliesToClient);
        }
    }

    #[cfg(all(test, loom))]
    pub(in crate::endpoint::server) fn take_on_in_memory(&mut self, segment: LinkSegment) {
        let attention = Attention::Local(self.shared.registry.clone(), 0);
        let policy = self.shared.settings.policy;
        let (link, inbound) = Link::new(segment, 1, attention, policy, None).expect("geometry");
        self.shared.links().insert(1, link.clone());
        let context = Context::of_server(link.clone(), ServerHandle::new(self.shared.clone()));
        self.sessions.put(0, Session::new(link, inbound, context));
        self.activate(0);
    }

    fn welcome(&mut self, index: usize) {
        if let Some(session) = self.sessions.get(index) {
            session.arrived(self.service.as_mut());
        }
        self.activate(index);
    }
}
