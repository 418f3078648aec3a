//! Links whose memory is written at random, and links that are used to do harm by volume.

use std::time::{Duration, Instant};

use super::super::lane::Frame;
use super::super::layout::{self, Lane, kind, link};
use super::super::lies;
use super::super::link::Plan;
use super::super::serve::MAX_MESSAGE;
use super::frames::put_kicking;
use super::{Session, Verdict};

/// Random bytes at random places.
pub(super) fn scribble(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let honest = Frame::new(kind::NOTICE, 0, lies::honest(&mut session.rng));
    link.put_first(Lane::MessagesToServer, &honest);
    for _ in 0..session.rng.usize(1..30) {
        let length = session.rng.usize(1..300);
        // Half of it among the control words.
        let most = if session.rng.bool() { link::RINGS } else { link.raw.length() };
        let at = session.rng.usize(0..most - length);
        let bytes: Vec<u8> = (0..length).map(|_| session.rng.u8(..)).collect();
        link.raw.write(at, &bytes);
        if session.rng.u8(0..4) == 0 {
            link.kick(session.server);
        }
    }
    Ok(session.whatever(&link))
}

/// Words that are each possible and mean nothing together, changed all the time.
pub(super) fn control_words(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut plan = Plan::rings(4 << 10);
    plan.flags |= link::FLAG_HANDLES_EVENTS;
    plan.pid = session.rng.u32(..);
    let Some(link) = session.link_as(plan) else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    for round in 0..session.rng.u32(1..60) {
        let lane = [Lane::MessagesToServer, Lane::MessagesToClient, Lane::RepliesToClient];
        let control = lane[session.rng.usize(0..3)].control();
        let (rng, raw) = (&mut session.rng, &link.raw);
        match rng.u8(0..6) {
            0 => raw.set32(control + layout::lane::CONSUMER_WAITS, rng.u32(0..3)),
            1 => raw.set32(control + layout::lane::PRODUCER_WAITS, rng.u32(..)),
            2 => raw.set32(link::CLIENT_GOODBYE, rng.u32(0..6)),
            3 => raw.set32(link::SERVER_ACCEPTED + 4 * rng.usize(0..8), rng.u32(..)),
            4 => raw.ring(link::BELLS + link::BELL_LENGTH * rng.usize(0..4)),
            _ => raw.set64(control + layout::lane::HEAD, 64 * rng.u64(0..80)),
        }
        let payload = [lies::fill(500), lies::events(3, 100), lies::call_me()];
        let payload = payload[session.rng.usize(0..3)].clone();
        writer.put(&Frame::new(kind::REQUEST, round, payload), Duration::ZERO);
        link.kick(session.server);
    }
    Ok(session.whatever(&link))
}

/// Asks for everything and takes nothing.
pub(super) fn reads_nothing(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut plan = Plan::rings(4 << 10);
    plan.flags |= link::FLAG_HANDLES_EVENTS;
    let Some(link) = session.link_as(plan) else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    for id in 1..200 {
        let payload = match id % 3 {
            0 => lies::fill(MAX_MESSAGE as u64),
            1 => lies::events(100, 10_000),
            _ => lies::call_me(),
        };
        link.kick(session.server);
        if !writer.put(&Frame::new(kind::REQUEST, id, payload), Duration::from_millis(1)) {
            break;
        }
    }
    Ok(session.whatever(&link))
}

/// Asks for as many large replies as the ring has requests, and says goodbye before the first.
pub(super) fn bomb(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut plan = Plan::rings(4 << 10);
    plan.message_ring = 1 << 20;
    let Some(link) = session.link_as(plan) else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    link.raw.set32(link::CLIENT_GOODBYE, 1);
    for id in 1..8_000 {
        let frame = Frame::new(kind::REQUEST, id, lies::fill(MAX_MESSAGE as u64));
        if !writer.put(&frame, Duration::ZERO) {
            break;
        }
    }
    link.kick(session.server);
    // As long as the server takes to see that nobody waits for them.
    std::thread::sleep(Duration::from_millis(50));
    Ok(Verdict::Whatever)
}

/// Keeps both lanes full of what has to be read, as fast as memory allows.
pub(super) fn hog(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link_as(Plan::rings(1 << 20)) else { return Ok(Verdict::Refused) };
    let mut messages = link.writer(Lane::MessagesToServer);
    let mut replies = link.writer(Lane::RepliesToServer);
    let first = [&(200_000_u64).to_le_bytes()[..], &[1; 8]].concat();
    let message = match session.rng.u8(0..3) {
        0 => Frame::new(kind::NOTICE, 0, vec![0xFF; 200_000]),
        1 => Frame::fragment(kind::NOTICE, kind::FIRST, 0, first),
        _ => Frame::new(kind::NOTICE, 0, Vec::new()),
    };
    let reply = Frame::new(kind::REPLY, 77, vec![0xFF; session.rng.usize(0..200_000)]);
    let time = Duration::from_millis(session.rng.u64(20..150));
    let started = Instant::now();
    while started.elapsed() < time && link.goodbye() == 0 {
        replies.put(&reply, Duration::ZERO);
        messages.put(&message, Duration::ZERO);
        link.kick(session.server);
    }
    Ok(session.whatever(&link))
}

/// Goes in the middle of a message, without a word.
pub(super) fn vanish(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let payload = [&(10_000_u64).to_le_bytes()[..], &[1; 800]].concat();
    for _ in 0..session.rng.usize(0..4) {
        let frame = Frame::fragment(kind::REQUEST, kind::FIRST, 3, payload.clone());
        put_kicking(session, &link, &mut writer, &frame);
    }
    Ok(Verdict::Whatever)
}
