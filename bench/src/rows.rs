//! From the runs to the rows.

use std::collections::HashMap;

use bench_kit::{Sample, Workload};
use serde::Serialize;

use crate::build::Build;
use crate::catalog;
use crate::run::Cell;

/// All runs of one cell; `None` where a run failed.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) cell: Cell,
    pub(crate) samples: Vec<Option<Sample>>,
    pub(crate) failures: Vec<String>,
    /// A run of it went past its deadline.
    pub(crate) hangs: bool,
}

/// What stands for a cell where one figure must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Median time: less is better.
    P50,
    /// 99th percentile: less is better.
    P99,
    /// Messages a second: more is better.
    PerSecond,
    /// Bytes a second: more is better.
    Bandwidth,
    /// The slowest client's part of its fair share.
    FairShare,
}

impl Figure {
    /// The figure that a workload is about.
    pub(crate) fn of(workload: Workload) -> Self {
        match workload {
            Workload::Notices | Workload::FanIn => Self::PerSecond,
            Workload::Blob64k | Workload::Blob1m => Self::Bandwidth,
            Workload::BesideLarge => Self::P99,
            _ => Self::P50,
        }
    }

    pub(crate) fn read(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::P50 => sample.p50_ns,
            Self::P99 => sample.p99_ns,
            Self::PerSecond => sample.per_s,
            Self::Bandwidth => sample.gb_s,
            Self::FairShare => sample.fair_share,
        }
    }
}

/// The median; of an even number the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// Distance of the quartiles, as a part of the median.
fn spread(mut values: Vec<f64>) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = part * (values.len() - 1) as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    let middle = at(0.5);
    (middle != 0.0).then(|| (at(0.75) - at(0.25)) / middle)
}

impl Series {
    pub(crate) fn new(cell: Cell) -> Self {
        Self { cell, samples: Vec::new(), failures: Vec::new(), hangs: false }
    }

    /// The median over the runs.
    pub(crate) fn median(&self, read: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().flatten().filter_map(read).collect())
    }

    /// The median of this cell's figure to another's, of the same repetition each: what drifts from
    /// minute to minute drifts for both.
    pub(crate) fn ratio(&self, other: &Self, figure: Figure) -> Option<f64> {
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios = pairs.filter_map(|(own, other)| {
            let other = figure.read(other.as_ref()?)?;
            let own = figure.read(own.as_ref()?)?;
            (other > 0.0).then(|| own / other)
        });
        median(ratios.collect())
    }

    fn error(&self) -> Option<String> {
        let first = self.failures.first()?;
        let succeeded = self.samples.iter().flatten().count();
        Some(match succeeded {
            0 => first.clone(),
            _ => format!(
                "{} of {} runs failed: {first}",
                self.failures.len(),
                self.failures.len() + succeeded
            ),
        })
    }
}

/// A row as `--json` writes it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) build: Build,
    pub(crate) workload: &'static str,
    pub(crate) peer: &'static str,
    /// Clients in `fan-in`, idle links in `idle-links`, KiB in `beside-large`; else how many were
    /// measured.
    pub(crate) n: u64,
    pub(crate) p50_ns: Option<f64>,
    pub(crate) p99_ns: Option<f64>,
    pub(crate) p999_ns: Option<f64>,
    pub(crate) worst_ns: Option<f64>,
    pub(crate) per_s: Option<f64>,
    pub(crate) gb_s: Option<f64>,
    /// The figure that the workload is about to the physical limit's. In `idle-links` to the same
    /// peer's without idle links; in `beside-large` to where the values are only encoded; in
    /// `fan-in` the slowest client's part of its fair share.
    pub(crate) ratio_to_limit: Option<f64>,
    pub(crate) spread: Option<f64>,
    pub(crate) error: Option<String>,
    /// To this library's row; not in the JSON, where it can be computed.
    #[serde(skip)]
    pub(crate) ratio_to_ours: Option<f64>,
}

/// All results of one kind of build.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) build: Build,
    pub(crate) series: Vec<Series>,
    index: HashMap<(Workload, &'static str, Option<u64>), usize>,
}

impl Results {
    pub(crate) fn new(build: Build, series: Vec<Series>) -> Self {
        let key = |cell: &Cell| (cell.workload, cell.peer.name, cell.parameter);
        let index = series.iter().enumerate().map(|(place, one)| (key(&one.cell), place)).collect();
        Self { build, series, index }
    }

    pub(crate) fn get(
        &self,
        workload: Workload,
        peer: &str,
        parameter: Option<u64>,
    ) -> Option<&Series> {
        let name = catalog::PEERS.iter().find(|known| known.name == peer)?.name;
        self.series.get(*self.index.get(&(workload, name, parameter))?)
    }

    /// All series of a workload.
    pub(crate) fn of(&self, workload: Workload) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.cell.workload == workload)
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.series.iter().map(|series| self.row(series)).collect()
    }

    pub(crate) fn row(&self, series: &Series) -> Row {
        let Cell { workload, peer, parameter } = series.cell;
        let figure = Figure::of(workload);
        let count = series.samples.iter().flatten().map(|sample| sample.n).sum();
        let values = series.samples.iter().flatten().filter_map(|sample| figure.read(sample));
        let to = |name: &str, parameter| {
            self.get(workload, name, parameter).and_then(|other| series.ratio(other, figure))
        };
        let ratio_to_limit = match workload {
            Workload::FanIn => series.median(|sample| sample.fair_share),
            Workload::IdleLinks => to(peer.name, Some(0)),
            Workload::BesideLarge => to(catalog::only_encodes(peer.name), parameter),
            _ => catalog::limit(workload).and_then(|limit| to(limit, None)),
        };
        Row {
            build: self.build,
            workload: workload.name(),
            peer: peer.name,
            n: parameter.unwrap_or(count),
            p50_ns: series.median(|sample| sample.p50_ns),
            p99_ns: series.median(|sample| sample.p99_ns),
            p999_ns: series.median(|sample| sample.p999_ns),
            worst_ns: series.median(|sample| sample.worst_ns),
            per_s: series.median(|sample| sample.per_s),
            gb_s: series.median(|sample| sample.gb_s),
            ratio_to_limit,
            spread: spread(values.collect()),
            error: series.error(),
            ratio_to_ours: to("ours", parameter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(spread(vec![1.0]), None);
        assert_eq!(spread(vec![1.0, 2.0, 3.0, 4.0, 5.0]), Some(2.0 / 3.0));
    }
}
