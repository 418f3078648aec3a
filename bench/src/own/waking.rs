//! The limits of a round trip: two words in shared memory, on cache lines of their own, and nothing
//! else. One side counts in the first, the other in the second; both look without end, or sleep in
//! futexes.

use std::sync::atomic::AtomicU32;

use anyhow::{Result, ensure};
use bench_kit::{End, Link, Plan, Rival};

use super::shared::{Shared, Waiter};

/// Both words, and room for the processor to fetch pairs of lines.
#[repr(C, align(128))]
struct Words {
    request: Line,
    reply: Line,
}

#[repr(C, align(128))]
struct Line(AtomicU32);

/// Two processes that count.
#[derive(Debug)]
pub(super) struct Pair(pub(super) Waiter);

fn words(shared: &Shared) -> &Words {
    // SAFETY: the mapping is page-aligned, larger than `Words` and lives as long as the borrow; its
    // bytes are only ever used as these atomics, for which every value is valid.
    unsafe { &*shared.base().cast::<Words>() }
}

impl Rival for Pair {
    type Link = PairLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let shared = Shared::map(&plan.file("words"), size_of::<Words>())?;
        let words = words(&shared);
        end.ready()?;
        let mut last = 0;
        while let Some(new) = self.0.wait(&words.request.0, last, end) {
            self.0.set(&words.reply.0, new);
            last = new;
        }
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<PairLink> {
        let shared = Shared::map(&plan.file("words"), size_of::<Words>())?;
        Ok(PairLink { shared, waiter: self.0, last: 0, end: End::default() })
    }
}

/// The side that begins.
pub(super) struct PairLink {
    shared: Shared,
    waiter: Waiter,
    last: u32,
    end: End,
}

impl Link for PairLink {
    #[inline]
    fn round_trip(&mut self, _number: u64, _text: &str) -> Result<()> {
        let words = words(&self.shared);
        let next = self.last.wrapping_add(1);
        self.waiter.set(&words.request.0, next);
        let came = self.waiter.wait(&words.reply.0, self.last, &self.end);
        ensure!(came == Some(next), "{next} was answered with {came:?}");
        self.last = next;
        Ok(())
    }
}
