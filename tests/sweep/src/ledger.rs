//! What is counted outside of both processes that may be killed: shared memory of the conductor's,
//! which outlives them, with everything in it an atomic.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Streams in one trial; who gets none sends nothing.
pub(crate) const STREAMS: usize = 4096;
/// Requests in one trial; who gets no ticket asks nothing.
pub(crate) const TICKETS: usize = 1 << 16;

/// The ledger. Zero is the start of every trial.
#[repr(C)]
pub(crate) struct Ledger {
    /// When the victim was about to be killed, in nanoseconds of the monotonic clock.
    pub(crate) killed_at: AtomicU64,
    /// When the last of the survivors noticed.
    pub(crate) noticed_at: AtomicU64,
    /// The victim is dead: survivors finish.
    pub(crate) over: AtomicU64,
    /// The victim's process id, where the victim is a client.
    pub(crate) victim: AtomicU64,
    /// Links of the victim that the server took on, and let go.
    pub(crate) arrived: AtomicU64,
    pub(crate) departed: AtomicU64,
    /// Survivors' calls that wait just now.
    pub(crate) waiting: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) wrong_outcome: AtomicU64,
    next_stream: AtomicU64,
    next_ticket: AtomicU64,
    /// Whatever happened to those who have nothing to do with the victim. Never reset.
    pub(crate) disturbed: AtomicU64,
    /// How long the machine let a thread of the conductor wait that only wanted to run for a
    /// moment, in nanoseconds, all in all. Never reset.
    pub(crate) stalled: AtomicU64,
    pub(crate) streams: [Stream; STREAMS],
    pub(crate) tickets: [Ticket; TICKETS],
}

/// Numbered messages in one direction of one link.
#[repr(C)]
pub(crate) struct Stream {
    /// Sends begun, and sends that succeeded.
    pub(crate) attempted: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// The next number that the receiver expects.
    pub(crate) received: AtomicU64,
    /// 1: from client to server.
    pub(crate) is_up: AtomicU64,
}

/// One request.
#[repr(C)]
pub(crate) struct Ticket {
    /// How often a handler began to run it.
    pub(crate) ran: AtomicU32,
    /// What its caller was told: one of the constants below; zero: nothing, the caller died.
    pub(crate) told: AtomicU32,
}

pub(crate) const TOLD_REPLY: u32 = 1;
pub(crate) const TOLD_NOT_STARTED: u32 = 2;
pub(crate) const TOLD_MAY_HAVE_RUN: u32 = 3;

/// A sleep of so long that ends so much too late tells of a machine that stood still.
const PULSE: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_millis(1);

/// When this process's machine stood still, from and to, of late.
static STALLS: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

static LEDGER: OnceLock<&'static Ledger> = OnceLock::new();

/// Makes the ledger. The descriptor is inherited by the processes that this one starts.
pub(crate) fn create() -> anyhow::Result<(&'static Ledger, OwnedFd)> {
    let file = memfd_create(c"crash-sweep", MFdFlags::empty()).context("make the ledger")?;
    nix::unistd::ftruncate(&file, size_of::<Ledger>() as i64).context("size the ledger")?;
    Ok((open(file.as_raw_fd())?, file))
}

/// Opens the ledger that the conductor left under this number. Once for each process.
pub(crate) fn open(descriptor: i32) -> anyhow::Result<&'static Ledger> {
    let path = format!("/proc/self/fd/{descriptor}");
    let file = OpenOptions::new().read(true).write(true).open(path).context("open the ledger")?;
    let place = map(&file)?;
    // SAFETY: `map` gives `size_of::<Ledger>()` bytes at a page's beginning that are never
    // unmapped; all of it is atomics, for which any content is a value.
    let ledger: &'static Ledger = unsafe { place.as_ref() };
    Ok(LEDGER.get_or_init(|| ledger))
}

fn map(file: &File) -> anyhow::Result<NonNull<Ledger>> {
    let map: MmapRaw =
        MmapOptions::new().len(size_of::<Ledger>()).map_raw(file).context("map the ledger")?;
    let place = NonNull::new(map.as_mut_ptr().cast()).context("the ledger is nowhere")?;
    std::mem::forget(map);
    Ok(place)
}

/// For [`shmipc::step::arm`].
pub(crate) fn last_words() {
    if let Some(ledger) = LEDGER.get() {
        ledger.killed_at.store(now(), SeqCst);
    }
}

/// Nanoseconds of the clock that all processes share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or_else(|_| TimeSpec::new(0, 0));
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

impl Ledger {
    /// Begins a trial. Nobody else may use the ledger but for `disturbed`.
    pub(crate) fn reset(&self) {
        let words = [
            &self.killed_at,
            &self.noticed_at,
            &self.over,
            &self.victim,
            &self.arrived,
            &self.departed,
            &self.waiting,
            &self.lost,
            &self.repeated,
            &self.damaged,
            &self.wrong_outcome,
        ];
        words.iter().for_each(|word| word.store(0, SeqCst));
        for stream in self.used_streams() {
            for word in [&stream.attempted, &stream.sent, &stream.received, &stream.is_up] {
                word.store(0, SeqCst);
            }
        }
        for ticket in self.used_tickets() {
            ticket.ran.store(0, SeqCst);
            ticket.told.store(0, SeqCst);
        }
        self.next_stream.store(0, SeqCst);
        self.next_ticket.store(0, SeqCst);
    }

    pub(crate) fn used_streams(&self) -> &[Stream] {
        let used = self.next_stream.load(SeqCst) as usize;
        self.streams.get(..used).unwrap_or(&self.streams)
    }

    pub(crate) fn used_tickets(&self) -> &[Ticket] {
        let used = self.next_ticket.load(SeqCst) as usize;
        self.tickets.get(..used).unwrap_or(&self.tickets)
    }

    /// A number for a new stream.
    pub(crate) fn new_stream(&self, is_up: bool) -> Option<(u32, &Stream)> {
        let number = self.next_stream.fetch_add(1, SeqCst);
        let stream = self.streams.get(number as usize)?;
        stream.is_up.store(u64::from(is_up), SeqCst);
        Some((number as u32, stream))
    }

    /// A number for a new request.
    pub(crate) fn new_ticket(&self) -> Option<(u32, &Ticket)> {
        let number = self.next_ticket.fetch_add(1, SeqCst);
        Some((number as u32, self.tickets.get(number as usize)?))
    }

    /// A message of a stream came.
    pub(crate) fn receive(&self, number: u32, sequence: u64, is_whole: bool) {
        let Some(stream) = self.streams.get(number as usize) else {
            self.damaged.fetch_add(1, SeqCst);
            return;
        };
        let expected = stream.received.load(SeqCst);
        if sequence < expected {
            self.repeated.fetch_add(1, SeqCst);
        } else if sequence > expected {
            self.lost.fetch_add(sequence - expected, SeqCst);
        }
        stream.received.store(sequence + 1, SeqCst);
        self.check(is_whole);
    }

    pub(crate) fn check(&self, is_whole: bool) {
        if !is_whole {
            self.damaged.fetch_add(1, SeqCst);
        }
    }

    /// A request began to run.
    pub(crate) fn run(&self, ticket: u32, is_whole: bool) {
        match self.tickets.get(ticket as usize) {
            Some(ticket) => drop(ticket.ran.fetch_add(1, SeqCst)),
            None => self.check(false),
        }
        self.check(is_whole);
    }

    /// A survivor learnt that the victim is gone.
    pub(crate) fn notice(&self) {
        self.noticed_at.fetch_max(now(), SeqCst);
    }

    /// What a machine that stood still, or had too much to do, added to all times so far.
    pub(crate) fn stall(&self) -> Duration {
        Duration::from_nanos(self.stalled.load(SeqCst))
    }

    /// What of it fell between two moments of [`now`].
    pub(crate) fn stall_between(&self, from: u64, to: u64) -> Duration {
        // The one that ends just now is not in the list yet.
        thread::sleep(2 * PULSE);
        let mut stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
        let parts =
            stalls.iter().map(|(begin, end)| (*end).min(to).saturating_sub((*begin).max(from)));
        let all = parts.sum();
        // Nobody asks about what was before.
        stalls.retain(|(_, end)| *end > to);
        Duration::from_nanos(all)
    }

    /// Measures [`stall`](Self::stall) until the process ends.
    pub(crate) fn measure_stalls(&'static self) {
        thread::spawn(move || {
            loop {
                let due = now() + PULSE.as_nanos() as u64;
                thread::sleep(PULSE);
                let end = now();
                let late = end.saturating_sub(due);
                // Less is what any sleep is late by.
                if late >= LATE.as_nanos() as u64 {
                    self.stalled.fetch_add(late, SeqCst);
                    STALLS.lock().unwrap_or_else(PoisonError::into_inner).push((due, end));
                }
            }
        });
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(SeqCst) != 0
    }
}
