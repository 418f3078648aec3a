//! Frames that no correct peer writes. Each ends the link with an accusation.

use super::super::lane::Frame;
use super::super::layout::{self, Lane, kind, link};
use super::super::lies;
use super::super::link::{Link, PATIENCE, Plan};
use super::{Session, Verdict};

/// A frame with one thing wrong.
fn wrong(session: &mut Session<'_>, capacity: usize) -> Frame {
    let rng = &mut session.rng;
    let mut frame = Frame::new(kind::NOTICE, rng.u32(..), lies::honest(rng));
    match rng.u8(0..8) {
        0 => frame.kind = rng.u8(9..),
        1 => frame.flags = rng.u8(1..),
        2 => frame.reserved = rng.u16(1..),
        3 => frame.damage = rng.u32(1..),
        4 => frame.length = u32::MAX - rng.u32(0..64),
        5 => frame.length = capacity as u32 + rng.u32(0..1 << 20),
        6 => frame = Frame::fragment(rng.u8(5..16), rng.u8(0..4), 0, vec![0; 20]),
        _ => frame = Frame::fragment(kind::NOTICE, 4 + 8 * rng.u8(0..2), 0, vec![0; 20]),
    }
    frame
}

pub(super) fn bad_frame(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    // Some honest ones before, so that it is not always the first.
    for _ in 0..session.rng.usize(0..20) {
        let honest = Frame::new(kind::NOTICE, 0, lies::honest(&mut session.rng));
        writer.put(&honest, PATIENCE);
    }
    let capacity = writer.capacity();
    let frame = wrong(session, capacity);
    writer.put(&frame, PATIENCE);
    session.accused(&link).map_err(|error| format!("{error}: {frame:?}"))
}

pub(super) fn bad_reply(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let frame = wrong(session, link.rings.1);
    link.put_first(Lane::RepliesToServer, &frame);
    session.accused(&link).map_err(|error| format!("{error}: {frame:?}"))
}

pub(super) fn jumping_position(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link_as(Plan::rings(4 << 10)) else { return Ok(Verdict::Refused) };
    let jump = match session.rng.u8(0..4) {
        0 => u64::MAX - 63,
        1 => session.rng.u64(..) | 1 << 40,
        2 => 8,
        _ => 1 << 63,
    };
    // The position of the lane of replies, which the server looks at when it wants room.
    link.raw.set64(Lane::RepliesToClient.control() + layout::lane::HEAD, jump);
    let mut writer = link.writer(Lane::MessagesToServer);
    for id in 1..20 {
        writer.put(&Frame::new(kind::REQUEST, id, lies::fill(1_000)), PATIENCE);
        link.kick(session.server);
        if link.goodbye() != 0 {
            break;
        }
    }
    session.accused(&link).map_err(|error| format!("{error}: head {jump}"))
}

/// The first part of a message of `length` bytes.
fn first(of: u8, id: u32, length: u64, bytes: usize) -> Frame {
    let payload = [&length.to_le_bytes()[..], &vec![1; bytes]].concat();
    Frame::fragment(of, kind::FIRST, id, payload)
}

pub(super) fn endless(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let rng = &mut session.rng;
    let of = rng.u8(1..5);
    let size = rng.usize(1..1500);
    let claimed = match rng.u8(0..4) {
        // Too much at once, or more parts than the message has bytes.
        0 => 1 << 40,
        1 => u64::MAX - rng.u64(0..20),
        _ => rng.u64(2..200_000).max(size as u64),
    };
    let mut writer = link.writer(Lane::MessagesToServer);
    writer.put(&first(of, 3, claimed, size), PATIENCE);
    let mut sent = 0;
    while link.goodbye() == 0 && sent < 4 << 20 {
        let part = Frame::fragment(of, 0, 3, vec![2; size]);
        if !writer.put(&part, std::time::Duration::from_secs(5)) {
            break;
        }
        sent += size;
        link.kick(session.server);
    }
    session.accused(&link).map_err(|error| format!("{error}: {claimed} claimed, {sent} sent"))
}

pub(super) fn interleaved(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let parts = session.rng.u32(1..20);
    for id in 0..parts {
        // Each begins anew, which is allowed; then parts of all come in turn, which is not.
        writer.put(&first(kind::REQUEST, id + 1, 10_000, 50), PATIENCE);
    }
    for id in 0..=parts {
        let other = Frame::fragment(kind::REQUEST, 0, id, vec![3; 30]);
        writer.put(&other, PATIENCE);
    }
    session.accused(&link)
}

/// Messages that begin and never go on: allowed, and nothing of them is seen.
pub(super) fn crumbs(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    for _ in 0..session.rng.usize(1..300) {
        let length = session.rng.u64(500..1 << 20);
        let bytes = session.rng.usize(0..400);
        if !put_kicking(session, &link, &mut writer, &first(kind::NOTICE, 0, length, bytes)) {
            return Err(format!("no room; goodbye {}", link.goodbye()));
        }
    }
    session.served(&link, &mut writer, &mut reader)
}

pub(super) fn put_kicking(
    session: &Session<'_>,
    link: &Link,
    writer: &mut super::Writer<'_>,
    frame: &Frame,
) -> bool {
    link.kick(session.server);
    writer.put(frame, PATIENCE)
}

const _: () = assert!(link::VIOLATION == 4);
