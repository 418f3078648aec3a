//! The server's side of the hand-over slots.

use super::bind::Registry;
use super::memory::{
    ANSWER_ACCEPTED, HAND_OVER_BIT, Offer, REQUEST_NONE, REQUEST_READY, SLOTS, join, split,
};
use super::ready::summon;
use super::stale::remove_link_name;
use crate::error::Refusal;
use crate::os::liveness::{self, FIRST_SLOT_BYTE};
use crate::sync::{Fault, Ordering, broken, fence};

impl Registry {
    /// A link that a client offers and that was not answered yet, the next one after `slot`.
    pub(crate) fn next_offer(&self, slot: usize) -> Option<Offer> {
        let memory = self.memory();
        (1..=SLOTS).find_map(|step| {
            let slot = (slot + step) % SLOTS;
            let place = memory.slots.get(slot)?;
            // SYNC(slot): the link's id was written before.
            if place.request.load(Ordering::Acquire) != REQUEST_READY {
                return None;
            }
            let link_id = join(&place.link);
            (link_id != join(&place.answered)).then_some(Offer { slot, link_id })
        })
    }

    /// Answers an offer.
    pub(crate) fn answer(&self, offer: Offer, answer: Result<(), &Refusal>) {
        let Some(slot) = self.memory().slots.get(offer.slot) else {
            return;
        };
        let code = answer.map_or_else(Refusal::to_code, |()| ANSWER_ACCEPTED);
        if broken(Fault::AnsweredEarly) {
            split(offer.link_id, &slot.answered);
        }
        slot.answer.store(code, Ordering::Relaxed);
        crate::step::reach("hand-over.answering");
        // SYNC(answer): the id is random and written last, so who finds its own finds its answer.
        fence(Ordering::Release);
        split(offer.link_id, &slot.answered);
    }

    /// Has the listener look for offers, from another thread of the server.
    pub(crate) fn call_for_offers(&self) {
        summon(self.memory(), self.bell(), HAND_OVER_BIT);
    }

    /// Frees the slots of claimers that died, and removes the links' names that they left.
    pub(crate) fn reap_slots(&self) {
        for (index, slot) in self.memory().slots.iter().enumerate() {
            if slot.request.load(Ordering::Relaxed) == REQUEST_NONE {
                continue;
            }
            let byte = FIRST_SLOT_BYTE + index as i64;
            if liveness::claim(self.file(), byte).unwrap_or(false) {
                crate::step::reach("reap.slot");
                remove_link_name(slot);
                slot.request.store(REQUEST_NONE, Ordering::Relaxed);
                liveness::release(self.file(), byte);
            }
        }
    }
}
