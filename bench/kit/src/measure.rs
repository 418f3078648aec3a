//! How a client measures.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};

use crate::{Link, Plan, Rival, Role, Sample, Workload, blob, client_number, text};

/// Warming up takes this part of the measured time, and ends early after so many messages.
const WARM_UP_PART: u32 = 10;
const WARM_UP_MOST: u64 = 20_000;
/// Small messages between two looks at the clock.
const CLOCK_STEP: u64 = 64;
/// How often `beside-large` would have made a round trip, had it not had to wait.
const PACE_NS: u64 = 10_000;
/// Most connections that one run makes.
const CONNECTIONS: u64 = 300;

/// The machine's monotonic clock, which all processes share.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or_else(|_| Duration::ZERO.into());
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

fn percentiles(timed: &Histogram<u64>) -> Sample {
    let at = |quantile| Some(timed.value_at_quantile(quantile) as f64);
    Sample {
        n: timed.len(),
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        worst_ns: Some(timed.max() as f64),
        ..Sample::default()
    }
}

fn elapsed_ns(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// What is still to do once the link is up: nothing is timed yet.
pub(crate) fn warm_up(link: &mut impl Link, plan: &Plan) -> Result<()> {
    let started = Instant::now();
    match plan.workload {
        Workload::Notices | Workload::FanIn => Ok(()),
        Workload::Blob64k | Workload::Blob1m => {
            link.prepare_blob(blob(plan.workload.blob_size()));
            link.tune()
        }
        _ => {
            for number in 0..WARM_UP_MOST {
                link.round_trip(number, text(number)).context("warming up")?;
                if started.elapsed() > plan.measure / WARM_UP_PART {
                    break;
                }
            }
            Ok(())
        }
    }
}

/// Measures what the plan says, on a link that is warm.
pub(crate) fn measure<R: Rival>(rival: &R, link: R::Link, plan: &Plan) -> Result<Sample> {
    let mut link = link;
    match plan.workload {
        Workload::Connect => {
            drop(link);
            connections(rival, plan)
        }
        Workload::Notices | Workload::FanIn => notices(&mut link, plan),
        Workload::Blob64k | Workload::Blob1m => blobs(&mut link, plan),
        _ => round_trips(&mut link, plan),
    }
}

fn round_trips(link: &mut impl Link, plan: &Plan) -> Result<Sample> {
    let mut timed = histogram()?;
    let started = Instant::now();
    let mut made = 0;
    for number in 0.. {
        made = number + 1;
        let text = text(number);
        let before = Instant::now();
        link.round_trip(number, text)?;
        let took = elapsed_ns(before);
        match plan.workload {
            // Who stands still for long makes few round trips: those count that it would have made.
            Workload::BesideLarge => timed.record_correct(took, PACE_NS)?,
            _ => timed.saturating_record(took),
        }
        if before.duration_since(started) > plan.measure {
            break;
        }
    }
    let per_s = made as f64 / started.elapsed().as_secs_f64();
    Ok(Sample { per_s: Some(per_s), ..percentiles(&timed) })
}

fn client_of(plan: &Plan) -> u64 {
    match plan.role {
        Role::Client(client) => client,
        _ => 0,
    }
}

/// Sends until `more` says no, then waits for the confirmation of all; messages and seconds.
fn one_way<L: Link>(
    link: &mut L,
    plan: &Plan,
    step: u64,
    mut send: impl FnMut(&mut L, u64) -> Result<()>,
) -> Result<Sample> {
    let client = client_of(plan);
    let base = client_number(client);
    // The first tenth warms up. It is confirmed too, so that its end is known.
    let mut sent = 0;
    let mut begin = 0;
    let mut start_ns = 0;
    for part in [plan.measure / WARM_UP_PART, plan.measure] {
        begin = sent;
        start_ns = now_ns();
        let started = Instant::now();
        loop {
            for _ in 0..step {
                send(link, base + sent)?;
                sent += 1;
            }
            if started.elapsed() > part {
                break;
            }
        }
        link.confirm(client)?.check(sent)?;
    }
    let end_ns = now_ns();
    let seconds = (end_ns - start_ns) as f64 / 1e9;
    let n = sent - begin;
    Ok(Sample {
        n,
        per_s: Some(n as f64 / seconds),
        span_ns: (start_ns, end_ns),
        ..Sample::default()
    })
}

fn notices(link: &mut impl Link, plan: &Plan) -> Result<Sample> {
    one_way(link, plan, CLOCK_STEP, |link, number| link.note(number, text(number)))
}

fn blobs(link: &mut impl Link, plan: &Plan) -> Result<Sample> {
    let sample = one_way(link, plan, 1, |link, number| link.blob(number))?;
    let gb_s = sample.per_s.map(|per_s| per_s * plan.workload.blob_size() as f64 / 1e9);
    Ok(Sample { gb_s, ..sample })
}

fn connections<R: Rival>(rival: &R, plan: &Plan) -> Result<Sample> {
    let mut whole = histogram()?;
    let mut parts = [histogram()?, histogram()?, histogram()?];
    let started = Instant::now();
    for number in 0..CONNECTIONS {
        let before = Instant::now();
        let mut link = rival.connect(plan)?;
        let connected = elapsed_ns(before);
        link.round_trip(number, text(number))?;
        let answered = elapsed_ns(before);
        drop(link);
        let closed = elapsed_ns(before);
        whole.saturating_record(answered);
        parts[0].saturating_record(connected);
        parts[1].saturating_record((answered - connected).max(1));
        parts[2].saturating_record((closed - answered).max(1));
        if started.elapsed() > plan.measure {
            break;
        }
    }
    let names = ["connect", "first round trip", "close (not counted)"];
    let median = |part: &Histogram<u64>| part.value_at_quantile(0.5) as f64;
    let parts = names.iter().zip(&parts).map(|(name, part)| ((*name).into(), median(part)));
    Ok(Sample { parts: parts.collect(), ..percentiles(&whole) })
}
