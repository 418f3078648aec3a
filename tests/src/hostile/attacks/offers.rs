//! Many offers at once, each of a link as large as the server allows, of which nothing is there
//! yet.

use std::time::Duration;

use super::super::layout::registry;
use super::super::link::{self, PATIENCE, Plan};
use super::super::raw::wait_for;
use super::super::registry::Registry;
use super::{Session, Verdict};

/// Slots that are left to others.
const LEFT: usize = 4;

/// Offers links without memory in nearly all slots at once. None of them may be taken on: their
/// client would have had the server reserve what it did not.
pub(super) fn sparse(session: &mut Session<'_>) -> Result<Verdict, String> {
    // A registry of its own, so that its slots are given back whatever happens.
    let Ok(own) = Registry::open(session.name) else { return Ok(Verdict::Whatever) };
    let plan =
        Plan { sparse: true, ..Plan::rings(2 << 20).within(super::super::serve::MAX_LINK_MEMORY) };
    let mut offered = Vec::new();
    for _ in 0..registry::SLOT_COUNT - LEFT {
        let Some(slot) = own.claim() else { break };
        let id = session.id();
        match link::make(session.server, id, plan) {
            Ok(raw) => offered.push((slot, id, raw)),
            Err(error) => return Err(format!("no link: {error}")),
        }
    }
    for (slot, id, _) in &offered {
        own.offer(*slot, *id);
    }
    let mut taken = 0;
    for (slot, id, _) in &offered {
        // Another attacker may scribble over the slot meanwhile.
        let answer = (0..40).find_map(|_| {
            own.offer(*slot, *id);
            wait_for(PATIENCE / 40, || own.answer(*slot, *id))
        });
        taken += u32::from(answer == Some(registry::ACCEPTED));
        let _ = std::fs::remove_file(link::path(*id));
        own.release(*slot);
    }
    std::thread::sleep(Duration::from_millis(1));
    match taken {
        0 => Ok(Verdict::Refused),
        taken => Err(format!("{taken} links without memory were taken on")),
    }
}
