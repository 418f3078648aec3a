//! Attacks on the way in: links that are none, slots, and the registry itself.

use std::time::Duration;

use super::super::layout::{self, link, registry};
use super::super::link::{Handed, Link, PATIENCE, Plan};
use super::super::protocol::Rich;
use super::super::raw::wait_for;
use super::super::registry::Registry;
use super::{Session, Verdict};

/// A link whose file is not what its header says, or whose header is nothing.
pub(super) fn forged(session: &mut Session<'_>) -> Result<Verdict, String> {
    let (id, ring) = (session.id(), session.ring());
    let mut rng = session.rng.fork();
    let handed = Link::hand_over(session.server, id, Plan::rings(ring), |raw| match rng.u8(0..5) {
        0 => {
            let bytes: Vec<u8> = (0..raw.length()).map(|_| rng.u8(..)).collect();
            raw.write(0, &bytes);
        }
        1 => raw.set64([link::LENGTH, link::MAX_MESSAGE][rng.usize(0..2)], rng.u64(..)),
        2 => {
            raw.set64([link::MESSAGE_RING, link::REPLY_RING][rng.usize(0..2)], 1 << rng.u32(0..64))
        }
        3 => raw.unlock(link::CLIENT_BYTE),
        _ => {
            let word = 4 * rng.usize(0..32);
            raw.set32(word, if rng.bool() { rng.u32(..) } else { rng.u32(0..4) });
        }
    });
    match handed {
        Handed::Linked(link) => Ok(session.whatever(&link)),
        Handed::Refused(registry::ACCEPTED) => Err("refused with an acceptance".into()),
        Handed::Refused(_) => Ok(Verdict::Refused),
        Handed::Ignored => Err("a forged link got no answer".into()),
    }
}

/// Claims slots, names links that do not exist or are not ready, and goes.
pub(super) fn unfinished(session: &mut Session<'_>) -> Result<Verdict, String> {
    // A registry of its own, so that going releases what it claimed.
    let Ok(own) = Registry::open(session.name) else { return Ok(Verdict::Whatever) };
    for _ in 0..session.rng.usize(1..20) {
        let Some(slot) = own.claim() else { break };
        let id = session.id();
        match session.rng.u8(0..3) {
            0 => {}
            1 => own.offer(slot, id),
            _ => {
                let place = Registry::slot(slot);
                own.raw.set64(place + registry::SLOT_LINK, (id >> 64) as u64);
                own.raw.set64(place + registry::SLOT_LINK + 8, id as u64);
                own.raw.set32(place + registry::SLOT_REQUEST, session.rng.u32(1..5));
            }
        }
    }
    std::thread::sleep(Duration::from_micros(session.rng.u64(0..3_000)));
    Ok(Verdict::Whatever)
}

/// Makes links until it is told that there are too many.
pub(super) fn flood(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut links = Vec::new();
    let mut verdict = Verdict::Whatever;
    for _ in 0..100 {
        match Link::hand_over(session.server, session.id(), Plan::rings(4 << 10), |_| {}) {
            Handed::Linked(link) => links.push(link),
            Handed::Refused(_) => {
                verdict = Verdict::Refused;
                break;
            }
            Handed::Ignored => return Err("a connect got no answer".into()),
        }
    }
    for link in &links {
        link.leave(session.server);
    }
    Ok(verdict)
}

/// Random bytes over slots, ready bits, the doorbell and the listener's words.
pub(super) fn scribble(session: &mut Session<'_>) -> Result<Verdict, String> {
    let raw = &session.server.raw;
    for _ in 0..session.rng.usize(1..40) {
        let length = session.rng.usize(1..200);
        let end = registry::SLOTS + registry::SLOT_COUNT * registry::SLOT_LENGTH;
        let at = session.rng.usize(registry::BELL..end - length);
        let bytes: Vec<u8> = (0..length).map(|_| session.rng.u8(..)).collect();
        raw.write(at, &bytes);
    }
    raw.word64(registry::READY_SUMMARY).store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
    raw.ring(registry::BELL);
    Ok(Verdict::Whatever)
}

/// Random bytes over what the server says of itself. It must be there again soon.
pub(super) fn header(session: &mut Session<'_>) -> Result<Verdict, String> {
    let raw = &session.server.raw;
    for _ in 0..session.rng.usize(1..8) {
        let length = session.rng.usize(1..32);
        let schema = session.rng.bool();
        let (from, to) = if schema { (registry::SCHEMA, registry::SCHEMA + 200) } else { (0, 128) };
        let at = session.rng.usize(from..to - length);
        let bytes: Vec<u8> = (0..length).map(|_| session.rng.u8(..)).collect();
        raw.write(at, &bytes);
    }
    let mended = wait_for(PATIENCE, || {
        let magic = raw.get64(registry::MAGIC) == layout::MAGIC;
        (magic && raw.get32(registry::VERSION) == layout::VERSION).then_some(())
    });
    let again = wait_for(PATIENCE, || connects(session.name).then_some(()));
    match (mended, again) {
        (Some(()), Some(())) => Ok(Verdict::Whatever),
        _ => Err(format!("nobody can connect {PATIENCE:?} after the registry was scribbled on")),
    }
}

fn connects(name: &str) -> bool {
    let client = shmipc::Client::<Rich>::builder(name);
    client.connect_deadline(Duration::from_millis(500)).connect().is_ok()
}
