//! Results in words: the targets, what a connection is made of, and the whole as Markdown.

use std::fmt::Write;

use bench_kit::Workload;

use crate::rows::Results;
use crate::table::time;
use crate::targets::{self, evaluate};
use crate::{catalog, machine, table};

/// Repetitions that the targets ask for.
const ASKED_REPS: u32 = 9;

/// Everything, for the terminal.
pub(crate) fn plain(all: &[Results], workloads: &[Workload], reps: u32) -> String {
    let mut text = String::new();
    for results in all {
        if all.len() > 1 {
            let _ = writeln!(text, "===== {} =====\n", results.build.describe());
        }
        for workload in workloads {
            if let Some(table) = table::workload(results, *workload, false) {
                let _ = writeln!(text, "{table}\n");
            }
        }
        text += &parts(results);
        text += &targets(results, reps);
        text.push('\n');
    }
    if let [first, second, ..] = all {
        text += &table::gains(first, second, workloads, false);
        text += "\n\nGains of one build on the other\n";
        text += &targets::list(&targets::between(first, second));
    }
    text
}

/// The targets with their marks.
fn targets(results: &Results, reps: u32) -> String {
    let mut text = String::new();
    for (title, nocrc) in [("Targets", false), ("The same without checksums", true)] {
        let verdicts = evaluate(results, nocrc);
        if verdicts.iter().all(|verdict| verdict.met.is_none()) {
            continue;
        }
        let _ = writeln!(text, "{title}");
        text += &targets::list(&verdicts);
        let unmeasured = verdicts.iter().filter(|verdict| verdict.met.is_none()).count();
        if unmeasured > 0 {
            let _ = writeln!(text, "  ({unmeasured} more were not measured in this run)");
        }
        text.push('\n');
    }
    if !text.is_empty() && reps < ASKED_REPS {
        let _ =
            writeln!(text, "The targets ask for {ASKED_REPS} repetitions; this run had {reps}.");
    }
    text
}

/// What connecting is made of.
fn parts(results: &Results) -> String {
    let mut text = String::new();
    for series in results.of(Workload::Connect) {
        let Some(first) = series.samples.iter().flatten().next() else { continue };
        let names = first.parts.iter().map(|(name, _)| name);
        let parts = names.enumerate().filter_map(|(place, name)| {
            let ns = series.median(|sample| Some(sample.parts.get(place)?.1))?;
            Some(format!("{name} {}", time(ns)))
        });
        let parts: Vec<String> = parts.collect();
        let _ = writeln!(text, "  {}: {}", series.cell.peer.name, parts.join(", "));
    }
    if text.is_empty() { text } else { format!("What connecting is made of\n{text}\n") }
}

/// Everything, as Markdown.
pub(crate) fn markdown(all: &[Results], workloads: &[Workload], reps: u32, quick: bool) -> String {
    let mut text = String::from(INTRODUCTION);
    let quick = if quick { " --quick" } else { "" };
    let names: Vec<&str> = workloads.iter().map(|workload| workload.name()).collect();
    let is_all = workloads.len() == Workload::ALL.len();
    let names = if is_all { String::new() } else { format!(" {}", names.join(" ")) };
    let builds: Vec<&str> = all.iter().map(|results| results.build.name()).collect();
    let builds = builds.join(",");
    let _ = writeln!(
        text,
        "```sh\ncargo run --release --manifest-path bench/Cargo.toml --{names} \
         --build {builds} --reps {reps}{quick} --plot docs/plots \
         --report docs/benchmarks.md\n```\n\n## The machine\n"
    );
    let _ = writeln!(text, "| | |\n|---|---|");
    for (name, value) in machine::describe() {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    for results in all {
        let _ = writeln!(text, "\n## Targets: {}\n", results.build.describe());
        for (title, nocrc) in [("checksums on", false), ("checksums off on both sides", true)] {
            text += &targets::table(title, &evaluate(results, nocrc));
        }
    }
    if let [first, second, ..] = all {
        let _ = writeln!(text, "{GAINS}\n{}\n", table::gains(first, second, workloads, true));
        text += &targets::table("one build beside the other", &targets::between(first, second));
    }
    for workload in workloads {
        let _ = writeln!(text, "## {}\n", workload.name());
        let _ = writeln!(text, "{}.\n", catalog::describe(*workload));
        for results in all {
            let Some(table) = table::workload(results, *workload, true) else { continue };
            let (_, table) = table.split_once('\n').unwrap_or_default();
            let _ = writeln!(text, "With {}:\n\n{table}\n", results.build.describe());
        }
    }
    for results in all {
        let parts = parts(results);
        if !parts.is_empty() {
            let _ = writeln!(text, "With {}:\n", results.build.describe());
            let _ = writeln!(text, "```text\n{}\n```\n", parts.trim_end());
        }
    }
    let _ = writeln!(text, "## The peers\n\n| | |\n|---|---|");
    for peer in catalog::PEERS {
        let _ = writeln!(text, "| {} | {} |", peer.name, peer.what);
    }
    text
}

const GAINS: &str = "\
## What the second build gains

How many times as fast each peer is with the second kind of build as with the first: medians of the
ratios within each repetition, in which one run follows the other.
";

const INTRODUCTION: &str = "\
# Benchmarks

Written by the bench itself; not edited by hand. Two processes, pinned to two cores (in
`rtt-one-core` to one). The typed message is an enum variant with a `u64` and a `String` of 16
characters, sent and answered through the generated methods; peers that carry bytes carry the same
enum through bincode. Every run checks that all messages came in order and unchanged. Runs of
different peers are interleaved; figures are medians over the repetitions, the spread is the
distance of the quartiles as a part of the median, and ratios are medians of the ratios within each
repetition. Only ratios within one run mean much: the absolute figures of a virtual machine
drift by half from hour to hour.

";
