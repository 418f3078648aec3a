//! Attacks on those who sleep: wake-ups that reach nobody.

use std::time::{Duration, Instant};

use super::super::futex::{block_wake_ups, move_sleepers};
use super::super::layout::{Lane, link, registry};
use super::super::link::Plan;
use super::{Session, Verdict};

/// Moves the listener, and whoever sleeps on the link, to a word that nobody wakes.
pub(super) fn moved(session: &mut Session<'_>) -> Result<Verdict, String> {
    let mut plan = Plan::rings(4 << 10);
    plan.flags |= link::FLAG_HANDLES_EVENTS;
    let Some(link) = session.link_as(plan) else { return Ok(Verdict::Refused) };
    let (started, time) = (Instant::now(), Duration::from_millis(session.rng.u64(1..120)));
    while started.elapsed() < time {
        move_sleepers(session.server.raw.word32(registry::BELL));
        for bell in 0..4 {
            move_sleepers(link.raw.word32(link::BELLS + bell * link::BELL_LENGTH));
        }
        std::thread::sleep(Duration::from_micros(session.rng.u64(0..300)));
    }
    // Whoever was moved must look again without being woken.
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    session.served(&link, &mut writer, &mut reader)
}

/// Makes wake-ups of the listener fail for a while.
pub(super) fn blocked(session: &mut Session<'_>) -> Result<Verdict, String> {
    let Some(link) = session.link() else { return Ok(Verdict::Refused) };
    let mut writer = link.writer(Lane::MessagesToServer);
    let mut reader = link.reader(Lane::RepliesToClient);
    let time = Duration::from_millis(session.rng.u64(1..400));
    let mut verdict = Ok(Verdict::Whatever);
    let bell = session.server.raw.word32(registry::BELL);
    block_wake_ups(bell, time, || verdict = session.served(&link, &mut writer, &mut reader));
    verdict
}
