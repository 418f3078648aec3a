//! Instructions of sending, of taking and handling, and of a round trip. Only one thread at a time
//! runs under callgrind, and only what a case marks is counted.

#![allow(missing_docs, reason = "the macros' own items")]
#![allow(clippy::unwrap_used, reason = "a case fails by panicking")]

use gungraun::{
    Callgrind, EntryPoint, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use instructions::{LARGE, LARGE_SIZE, LATE, Pair, SMALL, toggle_collect};

fn no_toggle() {}

fn waiting(messages: u64) -> Pair {
    let pair = Pair::new(messages, no_toggle);
    pair.close_gate();
    pair
}

fn end(pair: Pair) {
    pair.open_gate().end();
}

#[library_benchmark]
#[bench::small(args = (SMALL), setup = waiting, teardown = end)]
fn send_notices(pair: Pair) -> Pair {
    pair.send_notes();
    pair
}

fn waiting_with_blob(messages: u64) -> (Pair, Vec<u8>) {
    (waiting(messages), vec![7; LARGE_SIZE])
}

#[library_benchmark]
#[bench::large(args = (LARGE), setup = waiting_with_blob, teardown = end)]
fn send_blobs((pair, bytes): (Pair, Vec<u8>)) -> Pair {
    pair.send_blobs(&bytes);
    pair
}

/// Counts on the listener's thread alone: from the first message's handler to the last one's.
fn listener_only() -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(
        Callgrind::with_args(["--collect-atstart=no", "--cache-sim=no", "--fair-sched=yes"])
            .entry_point(EntryPoint::None),
    );
    config
}

#[library_benchmark(config = listener_only())]
fn take_notices() {
    let pair = Pair::new(SMALL, toggle_collect);
    pair.close_gate();
    pair.send_notes();
    pair.open_gate().end();
}

// With their replies, which find a caller's lane that nobody sleeps at.
// Once a second the listener looks around; of three runs the least counts, as for the round trips.
#[library_benchmark(config = listener_only())]
#[bench::first(LATE)]
#[bench::second(LATE)]
#[bench::third(LATE)]
fn take_requests(messages: u64) {
    let pair = Pair::new(messages, toggle_collect);
    pair.close_gate();
    pair.send_requests();
    pair.open_gate().end();
}

#[library_benchmark(config = listener_only())]
fn take_blobs() {
    let pair = Pair::new(LARGE, toggle_collect);
    pair.close_gate();
    pair.send_blobs(&vec![7; LARGE_SIZE]);
    pair.open_gate().end();
}

// Both sides: the caller's thread and the listener's. Both sleep for each message, so the wake-ups'
// instructions in this program (not the kernel's) are in it.
// How they meet is the scheduler's choice, so this is reported and not judged.
#[library_benchmark(config = listener_only())]
#[bench::first(SMALL)]
#[bench::second(SMALL)]
#[bench::third(SMALL)]
fn round_trips(messages: u64) {
    let pair = Pair::new(messages, toggle_collect);
    toggle_collect();
    pair.call();
    toggle_collect();
    pair.end();
}

library_benchmark_group!(
    name = messages;
    benchmarks = send_notices, take_notices, take_requests, send_blobs, take_blobs, round_trips
);

main!(library_benchmark_groups = messages);
