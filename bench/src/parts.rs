//! What a spinning round trip is made of besides the way between the processors (which is
//! `limit-atomics`): each part alone, in a loop, on one of the processors where the whole is
//! measured. What the sum and that way leave of the whole is everything between the parts.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_kit::{Request, decode, encode, text};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// How long a part is measured at a time, and how often: the median counts.
const MEASURE: Duration = Duration::from_millis(10);
const TIMES: usize = 21;
/// Repetitions between two looks at the clock.
const STEP: u32 = 256;

/// One part: its name, how often it comes in a round trip, and what it costs once.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) times: u32,
    pub(crate) ns: f64,
}

/// A frame as it stands in the ring: a header of 16 bytes and the message's 36.
const FRAME: [u8; 52] = [7; 52];

/// Measures all parts. The numbers of times are counted in the library's sources.
pub(crate) fn measure() -> Result<Vec<Part>> {
    pin(0)?;
    let request = Request::Ask { number: 7, text: text(7).into() };
    let mut encoded = Vec::with_capacity(64);
    encode(&request, &mut encoded)?;
    let bytes = encoded.clone();
    let (lock, word) = (Mutex::new(0_u64), AtomicU64::new(0));
    let part = |name, times, ns| Part { name, times, ns };
    Ok(vec![
        part("making the text that is sent", 1, median(|| drop(black_box(text(3).to_owned())))),
        part("encoding a message", 2, {
            median(|| {
                encoded.clear();
                drop(black_box(encode(black_box(&request), &mut encoded)));
            })
        }),
        part("the checksum of a frame, made or checked", 4, {
            median(|| _ = black_box(crc32fast::hash(black_box(&FRAME))))
        }),
        part("decoding a message, its text included", 2, {
            median(|| drop(black_box(decode::<Request>(black_box(&bytes)))))
        }),
        part("a lock of this process's own", 5, {
            median(|| {
                if let Ok(mut value) = lock.lock() {
                    *value += 1;
                }
            })
        }),
        part("a full fence behind a store", 5, {
            median(|| {
                word.store(black_box(1), Ordering::Release);
                fence(Ordering::SeqCst);
                black_box(word.load(Ordering::Relaxed));
            })
        }),
        part("reading the clock, by who measures", 1, median(|| _ = black_box(Instant::now()))),
    ])
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core).context("no such core")?;
    sched_setaffinity(Pid::from_raw(0), &set).context("cannot pin to a core")
}

fn median(mut part: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let started = Instant::now();
            let mut count = 0_u32;
            while started.elapsed() < MEASURE {
                for _ in 0..STEP {
                    part();
                }
                count += STEP;
            }
            started.elapsed().as_nanos() as f64 / f64::from(count)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

/// The parts as a table, with their sum.
pub(crate) fn table(parts: &[Part]) -> String {
    let mut text = String::from(
        "A spinning round trip, part by part, without the way between the processors \
         (limit-atomics)\n",
    );
    let mut sum = 0.0;
    for Part { name, times, ns } in parts {
        let all = f64::from(*times) * ns;
        sum += all;
        text += &format!("  {name:<48} {times} × {ns:>6.1} ns = {all:>6.1} ns\n");
    }
    text + &format!("  {:<48} {sum:>22.1} ns\n", "together")
}
