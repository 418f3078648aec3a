//! The samples of the last seconds, and what is plotted of them.

use std::collections::VecDeque;

use super::protocol::Sample;

/// How far back a plot shows, in seconds.
pub(super) const SHOWN: f64 = 10.0;
/// Points in a curve.
const POINTS: u64 = 500;
/// Over so long a rate is a mean: a counter that grows by steps has none at a moment.
const MEAN: u64 = 250_000_000;
/// Nanoseconds in a second.
const SECOND: f64 = 1e9;
/// Most samples that are kept, whatever their source says about their times: more than there are
/// at the highest rate.
const MOST: usize = 60_000;
/// What is kept: what is shown, and what its first rate needs.
const KEPT: u64 = SHOWN as u64 * 1_000_000_000 + 2 * MEAN;

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Series {
    samples: VecDeque<Sample>,
}

impl Series {
    /// Takes one more. One that is not newer than those here is of another source: they go.
    pub(super) fn push(&mut self, sample: Sample) {
        if self.newest().is_some_and(|newest| newest.taken >= sample.taken) {
            self.samples.clear();
        }
        self.samples.push_back(sample);
        while self.samples.len() > MOST
            || self.samples.front().is_some_and(|first| sample.taken - first.taken > KEPT)
        {
            self.samples.pop_front();
        }
    }

    pub(super) fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    /// A value over time: seconds before the newest sample, and what it was then.
    pub(super) fn values(&self, value: impl Fn(&Sample) -> f64) -> Vec<[f64; 2]> {
        self.points(|sample, _| Some(value(sample)))
    }

    /// How much a counter grew in a second. Of a time too short for a mean it is not told.
    pub(super) fn rates(&self, counter: impl Fn(&Sample) -> u64) -> Vec<[f64; 2]> {
        self.points(|sample, before| {
            let before = before?;
            let seconds = (sample.taken - before.taken) as f64 / SECOND;
            let growth = counter(sample).saturating_sub(counter(before)) as f64;
            (seconds > 0.0).then(|| growth / seconds)
        })
    }

    /// `value` is given a sample, and the one before it over which a mean is taken, if it is kept.
    fn points(&self, value: impl Fn(&Sample, Option<&Sample>) -> Option<f64>) -> Vec<[f64; 2]> {
        let Some(newest) = self.newest() else { return Vec::new() };
        let step = SHOWN as u64 * 1_000_000_000 / POINTS;
        // At round times, so that a curve moves as a whole and does not flicker.
        let last = newest.taken / step * step;
        let times = (0..=POINTS).rev().filter_map(|index| last.checked_sub(index * step));
        times
            .filter_map(|time| {
                let sample = self.at(time)?;
                let before = self.at(time.saturating_sub(MEAN));
                let x = (time as f64 - newest.taken as f64) / SECOND;
                Some([x, value(sample, before)?])
            })
            .collect()
    }

    /// The newest sample that was taken by then.
    fn at(&self, time: u64) -> Option<&Sample> {
        let after = self.samples.partition_point(|sample| sample.taken <= time);
        self.samples.get(after.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A thousand a second for so many seconds, in which a counter grows by 3 each time.
    fn steady(seconds: u64) -> Series {
        let mut series = Series::default();
        for number in 0..seconds * 1000 {
            // Not quite a millisecond apart, as in life.
            let taken = 5_000 * MS + number * MS + number * 7_919 % 300_000;
            series.push(Sample {
                number,
                taken,
                switches: number * 3,
                memory: 7,
                ..Sample::default()
            });
        }
        series
    }

    #[test]
    fn a_steady_counter_has_a_steady_rate() {
        let series = steady(20);
        let rates = series.rates(|sample| sample.switches);
        assert!(rates.len() as u64 >= POINTS - 1, "{} points", rates.len());
        assert!(rates.iter().all(|[_, rate]| (rate - 3000.0).abs() < 10.0));
        assert!(rates.iter().all(|[x, _]| *x >= -SHOWN - 0.03 && *x <= 0.0));
        assert!(series.samples.len() as u64 <= KEPT / MS + 1);
    }

    #[test]
    fn a_value_is_what_it_was() {
        assert!(Series::default().values(|sample| sample.memory as f64).is_empty());
        let series = steady(1);
        let values = series.values(|sample| sample.memory as f64);
        assert!(!values.is_empty() && values.iter().all(|[_, value]| *value == 7.0));
    }

    /// A counter that grows by steps looked like any rate at all over a few milliseconds.
    #[test]
    fn the_first_moments_have_no_rate() {
        let mut series = Series::default();
        for number in 0..400 {
            let busy = if number == 0 { 0 } else { 100 };
            series.push(Sample {
                number,
                taken: 5_000 * MS + number * MS,
                busy,
                ..Sample::default()
            });
        }
        let rates = series.rates(|sample| sample.busy);
        assert!(!rates.is_empty() && rates.iter().all(|[_, rate]| *rate <= 400.0), "{rates:?}");
    }

    #[test]
    fn another_source_begins_anew() {
        let mut series = steady(2);
        series.push(Sample { taken: MS, ..Sample::default() });
        assert_eq!(series.samples.len(), 1);
    }
}
