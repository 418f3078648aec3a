//! Frames that are right and payloads that are not: answered one by one, and nobody is sent away.

use std::time::Duration;

use super::super::lane::Frame;
use super::super::layout::{Lane, kind, link};
use super::super::lies;
use super::super::link::Plan;
use super::frames::put_kicking;
use super::{Session, Verdict};

pub(super) fn mutated(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let count = session.rng.usize(1..40);
    let rng = &mut session.rng;
    let payloads = (0..count).map(|_| {
        let honest = lies::honest(rng);
        small(lies::mutated(rng, &honest))
    });
    let payloads = payloads.collect();
    session.ask_all(&link, payloads, |kind, _| answer(kind))
}

/// A mutated `Fill` or `Events` would be answered in more frames than one: not what is tested here.
fn small(payload: Vec<u8>) -> Vec<u8> {
    match payload.first() {
        Some(4..=6) => lies::next(0),
        _ => payload,
    }
}

fn answer(kind: u8) -> Result<(), String> {
    match kind {
        kind::REPLY | kind::FAILURE => Ok(()),
        other => Err(format!("an answer of kind {other}")),
    }
}

pub(super) fn lies(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let count = session.rng.usize(1..30);
    let rng = &mut session.rng;
    let payloads = (0..count).map(|_| {
        let depth = rng.usize(0..60);
        lies::put(rng, depth)
    });
    let payloads = payloads.collect();
    session.ask_all(&link, payloads, |kind, payload| match (kind, payload.first()) {
        // "It could not be decoded."
        (kind::FAILURE, Some(2)) => Ok(()),
        _ => Err(format!("a lie got an answer of kind {kind}: {payload:?}")),
    })
}

pub(super) fn abyss(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link_as(Plan::rings(64 << 10)) else { return Ok(Verdict::Refused) };
    let levels = session.rng.usize(300..4_000);
    session.ask_all(&link, vec![lies::abyss(levels)], |kind, payload| match payload.first() {
        Some(2) if kind == kind::FAILURE => Ok(()),
        _ => Err(format!("{levels} levels got an answer of kind {kind}")),
    })
}

pub(super) fn unasked(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut replies = link.writer(Lane::RepliesToServer);
    for _ in 0..session.rng.usize(1..60) {
        let kind = [kind::REPLY, kind::FAILURE, kind::REQUEST, kind::GOODBYE, kind::GAP];
        let kind = kind[session.rng.usize(0..5)];
        let id = if session.rng.bool() { session.rng.u32(..) } else { session.rng.u32(0..4) };
        let payload = (0..session.rng.usize(0..50)).map(|_| session.rng.u8(..)).collect();
        // Nobody may read them at once: what does not fit is left out.
        replies.put(&Frame::new(kind, id, payload), Duration::ZERO);
    }
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    session.served(&link, &mut writer, &mut reader)
}

pub(super) fn reused(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link_as(Plan::rings(64 << 10)) else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    let id = session.rng.u32(0..3);
    for number in 0..session.rng.u64(2..100) {
        let frame = Frame::new(kind::REQUEST, id, lies::next(number));
        put_kicking(session, &link, &mut writer, &frame);
    }
    session.served(&link, &mut writer, &mut reader)
}

/// The server calls; what it gets is damaged, twice, to the wrong call, or nothing.
pub(super) fn answers(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut plan = Plan::rings(4 << 10);
    plan.flags |= link::FLAG_HANDLES_EVENTS;
    let Some(link) = session.link_as(plan) else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    let mut replies = link.writer(Lane::RepliesToServer);
    let mut events = link.reader(Lane::MessagesToClient);
    for number in 0..session.rng.u32(1..6) {
        put_kicking(
            session,
            &link,
            &mut writer,
            &Frame::new(kind::REQUEST, number, lies::call_me()),
        );
        let called = super::wait_for(Duration::from_millis(20), || events.take());
        let Some((_, id, _)) = called else { continue };
        for _ in 0..session.rng.usize(0..4) {
            let id = if session.rng.u8(0..3) == 0 { session.rng.u32(..) } else { id };
            let kind = if session.rng.bool() { kind::REPLY } else { kind::FAILURE };
            let payload = (0..session.rng.usize(0..20)).map(|_| session.rng.u8(..)).collect();
            replies.put(&Frame::new(kind, id, payload), Duration::ZERO);
        }
    }
    session.served(&link, &mut writer, &mut reader)
}
