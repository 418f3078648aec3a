//! The limit of large messages: one side copies into a ring in shared memory, the other copies out
//! of it into a private buffer. No frames, no checksums, no codec. Before measuring it tries
//! several sizes of the ring and takes the best.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench_kit::{Checker, Confirmed, End, Link, Plan, Rival, stamp};

use super::shared::Shared;

/// The largest ring, and what is mapped after the control words.
const LARGEST: usize = 16 << 20;
/// The sizes that are tried. Small ones stay in one core's cache, from which the other must fetch
/// line by line; ones beyond it meet in the cache that both share.
const SIZES: [usize; 5] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, LARGEST];
/// The ring in steps: after each the other side is told.
const STEPS: usize = 4;
/// How often and how long each is tried; its best counts.
const TRIALS: usize = 3;
const TRIAL: Duration = Duration::from_millis(4);
/// Bytes before the ring: a page.
const CONTROL: usize = 4096;

#[repr(C, align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// What both sides know about the ring. `produced` and `consumed` count bytes; the size and the
/// step change only while the ring is empty.
#[repr(C)]
struct Control {
    produced: Line,
    consumed: Line,
    size: Line,
    step: Line,
    count: Line,
    wrong: Line,
}

const _: () = assert!(size_of::<Control>() <= CONTROL);

struct Ring(Shared);

impl Ring {
    fn map(plan: &Plan) -> Result<Self> {
        Ok(Self(Shared::map(&plan.file("ring"), CONTROL + LARGEST)?))
    }

    fn control(&self) -> &Control {
        // SAFETY: the mapping is page-aligned, begins with `CONTROL` bytes that are only ever used
        // as these atomics, and lives as long as the borrow.
        unsafe { &*self.0.base().cast::<Control>() }
    }

    /// Where byte number `position` lies.
    fn at(&self, position: u64, size: usize) -> *mut u8 {
        let offset = CONTROL + (position as usize & (size - 1));
        // SAFETY: `size` is one of `SIZES`, powers of two up to `LARGEST`: within the mapping.
        unsafe { self.0.base().add(offset) }
    }
}

/// Private bytes at a distance from page boundaries, and so from the ring, at which `memcpy` is at
/// its best: processors take addresses that are equal or nearly so modulo a page for the same.
struct Private {
    room: Vec<u8>,
    start: usize,
    length: usize,
}

impl Private {
    const PAGE: usize = 4096;
    const DISTANCE: usize = 1024;

    fn new(length: usize) -> Self {
        let room = vec![0_u8; length + 2 * Self::PAGE];
        let start = room.as_ptr().align_offset(Self::PAGE) + Self::DISTANCE;
        Self { room, start, length }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.room[self.start..self.start + self.length]
    }
}

/// Copying in and out.
pub(super) struct Copying;

impl Rival for Copying {
    type Link = CopyingLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let ring = Ring::map(plan)?;
        let control = ring.control();
        let mut checker = Checker::new(plan.workload.blob_size());
        let mut private = Private::new(plan.workload.blob_size());
        let mut position = 0_u64;
        end.ready()?;
        while copy_out(&ring, &mut position, private.bytes(), end) {
            checker.blob(private.bytes());
            let Confirmed { count, wrong } = checker.confirm(0);
            control.wrong.0.store(wrong, Ordering::Relaxed);
            control.count.0.store(count, Ordering::Release);
        }
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<CopyingLink> {
        let link = CopyingLink {
            ring: Ring::map(plan)?,
            position: 0,
            blob: Private::new(0),
            sent: 0,
            tuned: 0,
        };
        link.choose(SIZES[0]);
        Ok(link)
    }
}

/// Copies one blob out of the ring; `false`: the end came.
fn copy_out(ring: &Ring, position: &mut u64, private: &mut [u8], end: &End) -> bool {
    let control = ring.control();
    let mut looks = 0_u32;
    let mut done = 0;
    while done < private.len() {
        let ready = control.produced.0.load(Ordering::Acquire) - *position;
        if ready == 0 {
            std::hint::spin_loop();
            looks += 1;
            if looks.is_multiple_of(1024) && end.has_come() {
                return false;
            }
            continue;
        }
        let size = control.size.0.load(Ordering::Relaxed) as usize;
        let step = control.step.0.load(Ordering::Relaxed) as usize;
        let to_end = size - (*position as usize & (size - 1));
        let length = (ready as usize).min(step).min(to_end).min(private.len() - done);
        let to = private[done..done + length].as_mut_ptr();
        // SAFETY: the producer published these bytes (acquire above) and does not touch them before
        // `consumed` passes them; `length` ends within the ring and within `private`.
        unsafe { std::ptr::copy_nonoverlapping(ring.at(*position, size), to, length) };
        done += length;
        *position += length as u64;
        control.consumed.0.store(*position, Ordering::Release);
    }
    true
}

/// The side that copies in.
pub(super) struct CopyingLink {
    ring: Ring,
    position: u64,
    blob: Private,
    sent: u64,
    /// How many of these were for tuning.
    tuned: u64,
}

impl CopyingLink {
    /// Only while the ring is empty.
    fn choose(&self, size: usize) {
        let control = self.ring.control();
        control.size.0.store(size as u64, Ordering::Relaxed);
        control.step.0.store((size / STEPS) as u64, Ordering::Release);
    }

    fn copy_in(&mut self) {
        let Self { ring, position, blob, .. } = self;
        let control = ring.control();
        let size = control.size.0.load(Ordering::Relaxed) as usize;
        let step = control.step.0.load(Ordering::Relaxed) as usize;
        let mut rest = &*blob.bytes();
        while !rest.is_empty() {
            let used = *position - control.consumed.0.load(Ordering::Acquire);
            let to_end = size - (*position as usize & (size - 1));
            let length = rest.len().min(step).min(to_end);
            if size - (used as usize) < length {
                std::hint::spin_loop();
                continue;
            }
            let to = ring.at(*position, size);
            // SAFETY: the consumer has passed these bytes (acquire above); `length` ends within the
            // ring and within `rest`.
            unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), to, length) };
            rest = &rest[length..];
            *position += length as u64;
            control.produced.0.store(*position, Ordering::Release);
        }
    }

    fn drain(&self) -> Result<Confirmed> {
        let control = self.ring.control();
        let started = Instant::now();
        loop {
            let count = control.count.0.load(Ordering::Acquire);
            if count == self.sent {
                return Ok(Confirmed { count, wrong: control.wrong.0.load(Ordering::Relaxed) });
            }
            if started.elapsed() > Duration::from_secs(5) {
                bail!("{count} of {} blobs came", self.sent);
            }
        }
    }
}

impl Link for CopyingLink {
    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = Private::new(bytes.len());
        self.blob.bytes().copy_from_slice(&bytes);
    }

    fn tune(&mut self) -> Result<()> {
        let mut best = (0.0, SIZES[0]);
        for size in SIZES.repeat(TRIALS) {
            self.drain()?;
            self.choose(size);
            let first = self.sent;
            let started = Instant::now();
            while started.elapsed() < TRIAL {
                self.blob(self.sent)?;
            }
            self.drain()?;
            let rate = (self.sent - first) as f64 / started.elapsed().as_secs_f64();
            if rate > best.0 {
                best = (rate, size);
            }
        }
        self.choose(best.1);
        self.tuned = self.sent;
        Ok(())
    }

    fn blob(&mut self, _number: u64) -> Result<()> {
        // Numbered by itself: tuning has sent some already.
        stamp(self.blob.bytes(), self.sent);
        self.sent += 1;
        self.copy_in();
        Ok(())
    }

    fn confirm(&mut self, _client: u64) -> Result<Confirmed> {
        let Confirmed { count, wrong } = self.drain()?;
        Ok(Confirmed { count: count - self.tuned, wrong })
    }
}
