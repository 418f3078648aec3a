//! How waiting is done: a deadline that costs nothing until somebody waits, a spin of bounded time,
//! and how long a sleep may last before the world is looked at again.

use std::hint;
use std::time::{Duration, Instant};

/// About what a wake-up costs: then spinning first is never much worse than the best choice in
/// hindsight.
pub(crate) const DEFAULT_SPIN: Duration = Duration::from_micros(50);
/// More would only burn a processor.
pub(crate) const MAXIMUM_SPIN: Duration = Duration::from_secs(1);
/// The longest sleep of somebody who waits for something: after it the peer's life is looked at.
pub(crate) const WAITING_SLICE: Duration = Duration::from_millis(50);
/// The longest sleep of a listener that has nothing to do. A death is noticed sooner where the
/// kernel tells it ([`crate::os::watch`]).
pub(crate) const IDLE_SLICE: Duration = Duration::from_millis(1_000);
/// The same where the kernel does not tell deaths (another pid namespace).
pub(crate) const BLIND_SLICE: Duration = Duration::from_millis(80);
/// The shortest sleep on the way to a look that is due.
pub(crate) const LEAST_SLEEP: Duration = Duration::from_millis(1);

/// The spin budget where the user chose none: zero on a single processor, where spinning only keeps
/// the other side from running. What counts is the machine and not this process's share of it:
/// pinned to one processor it may well wait for a peer on another. Where both are on the same one,
/// a link does not spin either (`Link::spin_budget`).
pub(crate) fn default_spin() -> Duration {
    if super::machine::processors() > 1 { DEFAULT_SPIN } else { Duration::ZERO }
}

/// A deadline whose clock is first read when somebody has to wait.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Duration,
    started: Option<Instant>,
}

impl Deadline {
    #[inline]
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, started: None }
    }

    /// A deadline that never passes.
    pub(crate) fn never() -> Self {
        Self::new(Duration::MAX)
    }

    /// Time left; `None` once it has passed.
    pub(crate) fn left(&mut self) -> Option<Duration> {
        let elapsed = self.started.get_or_insert_with(Instant::now).elapsed();
        self.timeout.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// Has it passed, if anybody waited at all?
    pub(crate) fn has_passed(&self) -> bool {
        self.started.is_some() && self.waited() >= self.timeout
    }

    /// Time waited so far.
    pub(crate) fn waited(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }
}

/// Spins until `ready` gives something, the budget is used up, or the deadline passes.
///
/// There is a pause before each look, also before the first ones: a look takes the line away from
/// who is about to write to it, and looks without pauses made round trips slower, not faster. The
/// clock is first read after so many looks that an answer which is under way has come.
#[inline]
pub(crate) fn spin<T>(
    budget: Duration,
    deadline: &mut Deadline,
    mut ready: impl FnMut() -> Option<T>,
) -> Option<T> {
    /// Looks between two looks at the clock, which costs as much as several of them.
    const LOOKS: u32 = 32;
    if let Some(found) = ready() {
        return Some(found);
    }
    // In models no time passes, and looking again is the checker's business.
    if budget.is_zero() || cfg!(loom) {
        return None;
    }
    let mut end: Option<Instant> = None;
    loop {
        for _ in 0..LOOKS {
            hint::spin_loop();
            if let Some(found) = ready() {
                return Some(found);
            }
        }
        let now = Instant::now();
        let end = *end.get_or_insert_with(|| {
            let passed = now.duration_since(*deadline.started.get_or_insert(now));
            now + budget.min(deadline.timeout.saturating_sub(passed))
        });
        if now >= end {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forever() -> Deadline {
        Deadline::new(Duration::MAX)
    }

    /// A spin budget of a minute once kept a caller with a deadline of milliseconds.
    #[test]
    fn a_deadline_ends_a_spin() {
        let mut deadline = Deadline::new(Duration::from_millis(1));
        assert_eq!(spin(Duration::from_secs(3600), &mut deadline, || None::<()>), None);
        assert!(deadline.has_passed());
        assert!(deadline.left().is_none());
    }

    #[test]
    fn a_deadline_starts_with_the_first_wait_and_ends() {
        let mut deadline = Deadline::new(Duration::from_millis(1));
        assert_eq!(deadline.waited(), Duration::ZERO);
        while deadline.left().is_some() {}
        assert!(deadline.waited() >= Duration::from_millis(1));
    }

    #[test]
    fn spinning_gives_what_it_found_and_gives_up() {
        let mut looks = 0;
        let found = spin(Duration::from_secs(60), &mut forever(), || {
            looks += 1;
            (looks == 100).then_some(looks)
        });
        assert_eq!(found, Some(100));
        assert_eq!(spin(Duration::ZERO, &mut forever(), || None::<()>), None);
        assert_eq!(spin(Duration::from_micros(10), &mut forever(), || None::<()>), None);
    }
}
