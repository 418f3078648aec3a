//! The table on the terminal, and the same as Markdown.

use bench_kit::Workload;
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::catalog;
use crate::rows::{Figure, Results, Row};

/// One workload's table.
pub(crate) fn workload(results: &Results, workload: Workload, markdown: bool) -> Option<String> {
    let rows: Vec<Row> = results.of(workload).map(|series| results.row(series)).collect();
    if rows.is_empty() {
        return None;
    }
    let mut header = vec![String::from("peer")];
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| rows.iter().any(|row| (column.text)(row, workload).is_some()))
        .collect();
    header.extend(columns.iter().map(|column| title(column, workload)));
    let cells = rows.iter().map(|row| {
        let mut cells = vec![row.peer.to_owned()];
        cells.extend(columns.iter().map(|column| (column.text)(row, workload).unwrap_or_default()));
        cells
    });
    let table = drawn(header, cells, markdown);
    Some(format!("{}: {}\n{table}", workload.name(), catalog::describe(workload)))
}

/// How many times as fast each peer is in the second kind of build as in the first.
pub(crate) fn gains(
    first: &Results,
    second: &Results,
    workloads: &[Workload],
    markdown: bool,
) -> String {
    // What is asleep or idle does not depend on the build.
    let compared: Vec<Workload> =
        workloads.iter().copied().filter(|workload| COMPARED.contains(workload)).collect();
    let mut header = vec![String::from("peer")];
    header.extend(compared.iter().map(|workload| workload.name().to_owned()));
    let rows = catalog::PEERS.iter().filter_map(|peer| {
        let gains: Vec<Option<f64>> =
            compared.iter().map(|workload| gain(first, second, *workload, peer.name)).collect();
        gains.iter().any(Option::is_some).then(|| {
            let mut cells = vec![peer.name.to_owned()];
            cells.extend(gains.into_iter().map(|gain| gain.map_or_else(String::new, ratio)));
            cells
        })
    });
    drawn(header, rows, markdown)
}

/// A table whose first column is names and all others figures.
fn drawn(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>, markdown: bool) -> String {
    let mut table = Table::new();
    table.load_style(if markdown { ASCII_MARKDOWN } else { UTF8_FULL_CONDENSED });
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Workloads whose figures are this program's own work.
const COMPARED: [Workload; 5] = [
    Workload::RttSpin,
    Workload::RttDefault,
    Workload::Notices,
    Workload::Blob64k,
    Workload::Blob1m,
];

/// How many times as fast `peer` is in the second kind of build as in the first.
pub(crate) fn gain(
    first: &Results,
    second: &Results,
    workload: Workload,
    peer: &str,
) -> Option<f64> {
    let slow = first.get(workload, peer, None)?;
    let fast = second.get(workload, peer, None)?;
    let figure = Figure::of(workload);
    match figure {
        Figure::P50 | Figure::P99 => slow.ratio(fast, figure),
        Figure::PerSecond | Figure::Bandwidth | Figure::FairShare => fast.ratio(slow, figure),
    }
}

struct Column {
    title: &'static str,
    text: fn(&Row, Workload) -> Option<String>,
}

const COLUMNS: &[Column] = &[
    Column { title: "n", text: |row, _| Some(grouped(row.n as f64)) },
    Column { title: "p50", text: |row, _| row.p50_ns.map(time) },
    Column { title: "p99", text: |row, _| row.p99_ns.map(time) },
    Column { title: "p99.9", text: |row, _| row.p999_ns.map(time) },
    Column {
        title: "worst",
        text: |row, workload| row.worst_ns.filter(|_| workload == Workload::BesideLarge).map(time),
    },
    Column { title: "per s", text: |row, _| row.per_s.map(grouped) },
    Column { title: "GB/s", text: |row, _| row.gb_s.map(|gb_s| format!("{gb_s:.2}")) },
    Column { title: "limit", text: |row, _| row.ratio_to_limit.map(ratio) },
    Column { title: "× ours", text: |row, _| row.ratio_to_ours.map(ratio) },
    Column {
        title: "spread",
        text: |row, _| row.spread.map(|spread| format!("{:.0} %", spread * 100.0)),
    },
    Column { title: "error", text: |row, _| row.error.as_deref().map(shortened) },
];

fn title(column: &Column, workload: Workload) -> String {
    match (column.title, workload) {
        ("limit", Workload::FanIn) => "slowest's share".into(),
        ("limit", Workload::IdleLinks) => "× none idle".into(),
        ("limit", Workload::BesideLarge) => "p99 × only encoding".into(),
        ("n", Workload::BesideLarge) => "KiB".into(),
        ("limit", _) => format!("× {}", catalog::limit(workload).unwrap_or("limit")),
        (title, _) => title.into(),
    }
}

/// Errors come from anywhere: one line, and not without end.
fn shortened(error: &str) -> String {
    let line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.replace('|', "/");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn ratio(ratio: f64) -> String {
    if ratio >= 100.0 { grouped(ratio) } else { format!("{ratio:.2}") }
}

/// Nanoseconds for people.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        ns if ns < 10_000.0 => format!("{} ns", grouped(ns)),
        ns if ns < 10_000_000.0 => format!("{:.1} µs", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn grouped(number: f64) -> String {
    if number.abs() < 10.0 && number.fract() != 0.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(time(450.0), "450 ns");
        assert_eq!(time(79_729.0), "79.7 µs");
    }
}
