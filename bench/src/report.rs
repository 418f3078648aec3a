//! Results in words: the targets, what a connection is made of, and the whole as Markdown.

use std::fmt::Write;

use bench_kit::Workload;

use crate::rows::Results;
use crate::table::time;
use crate::targets::{Verdict, evaluate};
use crate::{catalog, machine, table};

/// Repetitions that the targets ask for.
const ASKED_REPS: u32 = 9;

/// The targets with their marks.
pub(crate) fn targets(results: &Results, reps: u32) -> String {
    let mut text = String::new();
    for (title, nocrc) in [("Targets", false), ("The same without checksums", true)] {
        let verdicts = evaluate(results, nocrc);
        if verdicts.iter().all(|verdict| verdict.met.is_none()) {
            continue;
        }
        let width = |read: fn(&Verdict) -> &str| {
            verdicts.iter().map(|verdict| read(verdict).chars().count()).max().unwrap_or(0)
        };
        let (target, figure) = (width(|v| &v.target), width(|v| &v.figure));
        let _ = writeln!(text, "{title}");
        for verdict in verdicts.iter().filter(|verdict| verdict.met.is_some()) {
            let mark = verdict.mark();
            let (t, f) = (&verdict.target, &verdict.figure);
            let _ = writeln!(text, "  {t:<target$}  {f:<figure$}  {mark}");
        }
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
pub(crate) fn parts(results: &Results) -> String {
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
pub(crate) fn markdown(
    results: &Results,
    workloads: &[Workload],
    reps: u32,
    quick: bool,
) -> String {
    let mut text = String::from(INTRODUCTION);
    let quick = if quick { " --quick" } else { "" };
    let names: Vec<&str> = workloads.iter().map(|workload| workload.name()).collect();
    let all = workloads.len() == Workload::ALL.len();
    let names = if all { String::new() } else { format!(" {}", names.join(" ")) };
    let _ = writeln!(
        text,
        "```sh\ncargo run --release --manifest-path bench/Cargo.toml --{names} --reps {reps}{quick} \
         --plot docs/plots --report docs/benchmarks.md\n```\n\n## The machine\n"
    );
    let _ = writeln!(text, "| | |\n|---|---|");
    for (name, value) in machine::describe() {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let _ = writeln!(text, "\n## Targets\n");
    for (title, nocrc) in [("checksums on", false), ("checksums off on both sides", true)] {
        let _ = writeln!(text, "| target, {title} | this run | |\n|---|---|---|");
        for verdict in evaluate(results, nocrc) {
            let (target, figure, mark) = (&verdict.target, &verdict.figure, verdict.mark());
            let _ = writeln!(text, "| {target} | {figure} | {mark} |");
        }
        text.push('\n');
    }
    for workload in workloads {
        if let Some(table) = table::workload(results, *workload, true) {
            let (_, table) = table.split_once('\n').unwrap_or_default();
            let _ = writeln!(text, "## {}\n", workload.name());
            let _ = writeln!(text, "{}.\n\n{table}\n", catalog::describe(*workload));
        }
    }
    let parts = parts(results);
    if !parts.is_empty() {
        let _ = writeln!(text, "```text\n{}```\n", parts.trim_end().to_owned() + "\n");
    }
    let _ = writeln!(text, "## The peers\n\n| | |\n|---|---|");
    for peer in catalog::PEERS {
        let _ = writeln!(text, "| {} | {} |", peer.name, peer.what);
    }
    text
}

const INTRODUCTION: &str = "\
# Benchmarks

Written by the bench itself; not edited by hand. Two processes, pinned to two cores (in `rtt-one-core`
to one). The typed message is an enum variant with a `u64` and a `String` of 16 characters, sent and
answered through the generated methods; peers that carry bytes carry the same enum through bincode.
Every run checks that all messages came in order and unchanged. Runs of different peers are
interleaved; figures are medians over the repetitions, the spread is the distance of the quartiles as a
part of the median, and ratios are medians of the ratios within each repetition. Only ratios within
one run mean much: the absolute figures of a virtual machine drift by half from hour to hour.

";
