//! The targets, each evaluated from this run.

use std::fmt::Write;

use bench_kit::Workload;

use crate::catalog::Kind;
use crate::rows::{Figure, Results, Series};
use crate::table::{self, grouped, time};

use Workload::{
    Blob1m, Blob64k, Connect, FanIn, Idle, IdleLinks, Notices, RttDefault, RttOneCore, RttSleep,
    RttSpin,
};

/// Least CPU time a second that counts as measurable: a thousandth, the least that `top` shows.
const MEASURABLE_NS: f64 = 1_000_000.0;

/// Most that one more optimised build may gain.
const MOST_GAIN: f64 = 1.10;

/// One target, and what came of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) figure: String,
    /// `None`: this run has not measured it.
    pub(crate) met: Option<bool>,
}

impl Verdict {
    pub(crate) fn mark(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        }
    }
}

/// Which way a figure must lie.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
    Above(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
            Self::Below(bound) => value < bound,
            Self::Above(bound) => value > bound,
        }
    }

    fn describe(self) -> String {
        match self {
            Self::AtMost(bound) => format!("at most {bound:.2}"),
            Self::AtLeast(bound) => format!("at least {bound:.2}"),
            Self::Below(bound) => format!("below {bound:.2}"),
            Self::Above(bound) => format!("above {bound:.2}"),
        }
    }
}

/// All targets for this library as it is; with `nocrc`, for it without checksums.
pub(crate) fn evaluate(results: &Results, nocrc: bool) -> Vec<Verdict> {
    let own = if nocrc { "ours-nocrc" } else { "ours" };
    let borrowed = if nocrc { "ours-nocrc-borrowed" } else { "ours-borrowed" };
    let mut judge = Judge { results, verdicts: Vec::new() };
    judge.round_trips(own, if nocrc { 1.0 } else { 1.15 });
    judge.notices(own, if nocrc { 1.2 } else { 1.0 });
    judge.blobs(own, borrowed);
    judge.many(own);
    if !nocrc {
        judge.quiet(own);
    }
    judge.verdicts
}

/// Is the first build, as shipped, near enough to the second, that a user must ask for?
pub(crate) fn between(first: &Results, second: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for workload in [RttSpin, Notices] {
        for peer in ["ours", "ours-nocrc"] {
            let gain = table::gain(first, second, workload, peer);
            let bound = Bound::AtMost(MOST_GAIN);
            verdicts.push(Verdict {
                target: format!("{} of {peer}, gain: {}", workload.name(), bound.describe()),
                figure: gain.map_or_else(|| "–".into(), |gain| format!("{gain:.2}")),
                met: gain.map(|gain| bound.holds(gain)),
            });
        }
    }
    verdicts
}

/// Those that were measured, for the terminal.
pub(crate) fn list(verdicts: &[Verdict]) -> String {
    let width = |read: fn(&Verdict) -> &str| {
        verdicts.iter().map(|verdict| read(verdict).chars().count()).max().unwrap_or(0)
    };
    let (target, figure) = (width(|v| &v.target), width(|v| &v.figure));
    let mut text = String::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.met.is_some()) {
        let (t, f) = (&verdict.target, &verdict.figure);
        let _ = writeln!(text, "  {t:<target$}  {f:<figure$}  {}", verdict.mark());
    }
    text
}

/// All of them, as Markdown.
pub(crate) fn table(title: &str, verdicts: &[Verdict]) -> String {
    let mut text = format!("| target, {title} | this run | |\n|---|---|---|\n");
    for verdict in verdicts {
        let (target, figure, mark) = (&verdict.target, &verdict.figure, verdict.mark());
        let _ = writeln!(text, "| {target} | {figure} | {mark} |");
    }
    text.push('\n');
    text
}

struct Judge<'r> {
    results: &'r Results,
    verdicts: Vec<Verdict>,
}

impl<'r> Judge<'r> {
    fn series(&self, workload: Workload, peer: &str, parameter: Option<u64>) -> Option<&'r Series> {
        self.results.get(workload, peer, parameter)
    }

    /// The best rival by its median.
    fn best(&self, workload: Workload, fits: impl Fn(&Series) -> bool) -> Option<&'r Series> {
        let figure = Figure::of(workload);
        let value = |series: &&Series| series.median(|sample| figure.read(sample));
        let rivals = self.results.of(workload).filter(|series| {
            series.cell.peer.is_rival() && fits(series) && value(series).is_some()
        });
        let by_value = |a: &&Series, b: &&Series| {
            let (a, b) = (value(a).unwrap_or(0.0), value(b).unwrap_or(0.0));
            if figure == Figure::P50 { b.total_cmp(&a) } else { a.total_cmp(&b) }
        };
        rivals.max_by(by_value)
    }

    fn ratio(
        &mut self,
        what: &str,
        own: Option<&Series>,
        other: Option<&Series>,
        figure: Figure,
        bound: Bound,
    ) {
        let ratio = own.zip(other).and_then(|(own, other)| own.ratio(other, figure));
        let beside = other.map_or("?", |other| other.cell.peer.name);
        self.verdicts.push(Verdict {
            target: format!("{what}: {}", bound.describe()),
            figure: ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.2} × {beside}")),
            met: ratio.map(|ratio| bound.holds(ratio)),
        });
    }

    fn value(&mut self, target: &str, value: Option<f64>, bound: Bound, show: fn(f64) -> String) {
        self.verdicts.push(Verdict {
            target: target.into(),
            figure: value.map_or_else(|| "–".into(), show),
            met: value.map(|value| bound.holds(value)),
        });
    }

    /// The fastest rival of any kind: spinning itself, or as it comes.
    fn round_trips(&mut self, own: &str, most: f64) {
        let spin = self.series(RttSpin, own, None);
        let atomics = self.series(RttSpin, "limit-atomics", None);
        self.ratio("rtt-spin p50 to two atomics", spin, atomics, Figure::P50, Bound::AtMost(3.0));
        let best = self.best(RttSpin, |_| true);
        let what = "rtt-spin p50 to the fastest rival";
        self.ratio(what, spin, best, Figure::P50, Bound::AtMost(most));
        let default = self.series(RttDefault, own, None);
        self.ratio("rtt-default p50 to rtt-spin", default, spin, Figure::P50, Bound::AtMost(1.2));
        for (workload, bound) in [(RttSleep, 1.10), (RttOneCore, 1.25)] {
            let series = self.series(workload, own, None);
            let futex = self.series(workload, "limit-futex", None);
            let what = format!("{} p50 to two futexes", workload.name());
            self.ratio(&what, series, futex, Figure::P50, Bound::AtMost(bound));
            let best = self.best(workload, |_| true);
            let what = format!("{} p50 to the fastest rival", workload.name());
            self.ratio(&what, series, best, Figure::P50, Bound::Below(1.0));
        }
    }

    fn notices(&mut self, own: &str, least: f64) {
        let series = self.series(Notices, own, None);
        let figure = Figure::PerSecond;
        let batched = self.series(Notices, "unix-socket-batched", None);
        let what = "notices to the hand-batched socket";
        self.ratio(what, series, batched, figure, Bound::AtLeast(least));
        let typed = self.best(Notices, |rival| rival.cell.peer.kind == Kind::Typed);
        let what = "notices to the best typed rival";
        self.ratio(what, series, typed, figure, Bound::AtLeast(3.0));
        let best = self.best(Notices, |_| true);
        self.ratio("notices to the best rival", series, best, figure, Bound::Above(1.0));
    }

    fn blobs(&mut self, own: &str, borrowed: &str) {
        let figure = Figure::Bandwidth;
        for workload in [Blob1m, Blob64k] {
            let name = workload.name();
            let series = self.series(workload, borrowed, None);
            let copy = self.series(workload, "limit-copy", None);
            let what = format!("{name} borrowed to copy in, copy out");
            self.ratio(&what, series, copy, figure, Bound::AtLeast(0.6));
            let copies = self.best(workload, |rival| rival.cell.peer.copies);
            let what = format!("{name} borrowed to the best rival that copies");
            self.ratio(&what, series, copies, figure, Bound::Above(1.0));
            let series = self.series(workload, own, None);
            let owned = self.best(workload, |rival| rival.cell.peer.kind != Kind::Plain);
            let what = format!("{name} owned to the best rival with owned values");
            self.ratio(&what, series, owned, figure, Bound::Above(1.0));
        }
    }

    fn many(&mut self, own: &str) {
        let idle = self.series(IdleLinks, own, Some(256));
        let none = self.series(IdleLinks, own, Some(0));
        let what = "idle-links p50, 256 idle to none";
        self.ratio(what, idle, none, Figure::P50, Bound::AtMost(1.25));
        let eight = self.series(FanIn, own, Some(8));
        let one = self.series(FanIn, own, Some(1));
        let what = "fan-in, 8 clients' total to one client's";
        self.ratio(what, eight, one, Figure::PerSecond, Bound::AtLeast(0.7));
        let share = eight.and_then(|series| series.median(|sample| Figure::FairShare.read(sample)));
        let target = "fan-in, 8 clients: the slowest has at least 0.50 of its fair share";
        self.value(target, share, Bound::AtLeast(0.5), |share| format!("{share:.2}"));
    }

    fn quiet(&mut self, own: &str) {
        let idle = self.series(Idle, own, None);
        let cpu = idle.and_then(|series| series.median(|sample| sample.p50_ns));
        let show = |ns| format!("{} in a second", time(ns));
        let target = "idle: no measurable CPU (below 0.1 % of a core)";
        self.value(target, cpu, Bound::Below(MEASURABLE_NS), show);
        let wakes = idle.and_then(|series| series.median(|sample| sample.per_s));
        let target = "idle: fewer than 2 wake-ups a second each";
        self.value(target, wakes, Bound::Below(2.0), |wakes| {
            format!("{} a second", grouped(wakes))
        });
        let connect = self.series(Connect, own, None);
        let socket = self.series(Connect, "unix-socket", None);
        let what = "connect p50 to a Unix socket's";
        self.ratio(what, connect, socket, Figure::P50, Bound::AtMost(3.0));
    }
}
