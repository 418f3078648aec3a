//! Model checking of the code as shipped: `loom` runs a model again and again, each time with
//! another interleaving of its threads and other old values in its relaxed loads, until it has
//! tried all (or all with so many preemptions, where a bound is given; whatever threads do when
//! they block is always tried in full).
//!
//! What is shipped runs here unchanged, over private memory (`Lane::in_memory`,
//! `LinkSegment::in_memory`, `registry::in_memory`). No time passes in a model: a sleep ends by a
//! wake-up or never, so a wake-up that is lost is a deadlock, which the checker reports. For each
//! model there are faults that are built into the code ([`Fault`]) and must be found.
//!
//! Run by `ci/models`. What `loom` cannot show: it lets no load read what is stored later, so an
//! ordering that only keeps earlier loads before a store (the release of `head`) cannot be refuted.

mod calls;
mod closing;
mod listener;
mod registry;
mod rig;
mod ring;
mod room;
mod turn;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sync::{Fault, with_fault};

/// Time for one model; `SHMIPC_MODEL_SECONDS` changes it.
const BUDGET: Duration = Duration::from_secs(120);
/// Tells the child process which model to run with which fault.
const CHILD: &str = "SHMIPC_MODEL_BROKEN";
/// How a child ends that found its fault.
const REFUTED: i32 = 66;

/// What is checked.
struct Model {
    name: &'static str,
    /// How often a thread that could go on is interrupted in one interleaving; `None`: any number.
    preemptions: Option<usize>,
    run: fn(),
    /// Each of them must be found.
    faults: &'static [Fault],
}

fn all() -> impl Iterator<Item = &'static Model> {
    [
        calls::MODELS,
        closing::MODELS,
        listener::MODELS,
        registry::MODELS,
        ring::MODELS,
        room::MODELS,
        turn::MODELS,
    ]
    .into_iter()
    .flatten()
}

/// Every interleaving must end well, and with each fault built in some interleaving must not.
fn check(models: &'static [Model]) {
    for model in models {
        let Model { name, preemptions, .. } = model;
        let bound = preemptions.map_or("any".into(), |most| format!("at most {most}"));
        let count = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let complete = explore(model, None, &count);
        let seconds = started.elapsed().as_secs_f64();
        let extent = if complete { "all" } else { "cut off by time" };
        let count = count.load(Ordering::Relaxed);
        println!(
            "model {name}: {count} interleavings ({extent}; preemptions: {bound}), {seconds:.1} s"
        );
        for fault in model.faults {
            refute(model, *fault);
        }
    }
}

/// `true`: all interleavings (within the bound) were tried.
fn explore(model: &Model, fault: Option<Fault>, count: &Arc<AtomicU64>) -> bool {
    let seconds = std::env::var("SHMIPC_MODEL_SECONDS").ok().and_then(|text| text.parse().ok());
    let budget = seconds.map_or(BUDGET, Duration::from_secs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = model.preemptions;
    builder.max_duration = Some(budget);
    builder.max_branches = 20_000;
    // How often the time is looked at.
    builder.checkpoint_interval = 100;
    let (run, count) = (model.run, count.clone());
    let started = Instant::now();
    with_fault(fault, || {
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            run();
        });
    });
    started.elapsed() < budget
}

/// In a process of its own: a model that ends badly cannot be unwound, as its destructors are part
/// of it.
fn refute(model: &Model, fault: Fault) {
    let name = model.name;
    // As the test harness has it: without the crate's name.
    let (_, here) = module_path!().split_once("::").expect("a module of the crate");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("{here}::broken")])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{name} {fault:?}"))
        .output()
        .expect("this program again");
    let output = String::from_utf8_lossy(&child.stdout);
    let found = output.lines().find_map(|line| line.split_once("found ")).map(|(_, found)| found);
    assert!(
        child.status.code() == Some(REFUTED) && found.is_some(),
        "model {name} did not find {fault:?}: {output}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    println!("model {name}: {fault:?} refuted {}", found.unwrap_or_default());
}

/// The child of [`refute`].
#[test]
#[ignore = "run by the other models"]
fn broken() {
    let Ok(wanted) = std::env::var(CHILD) else { return };
    let pairs = all().flat_map(|model| model.faults.iter().map(move |fault| (model, *fault)));
    let is_wanted =
        |(model, fault): &(&Model, Fault)| wanted == format!("{} {fault:?}", model.name);
    let (model, fault) = pairs.into_iter().find(is_wanted).expect("a model's name and a fault's");
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default().lines().next().unwrap_or_default();
        // These tell of the checker, not of the fault.
        if text.contains("maximum number of branches") || text.contains("internal bug") {
            println!("the checker gave up: {text}");
            std::process::exit(1);
        }
        let text: String = text.chars().take(100).collect();
        println!("found after {} interleavings: {text}", counted.load(Ordering::Relaxed));
        std::process::exit(REFUTED);
    }));
    explore(model, Some(fault), &count);
}
