//! A client process: sends its files line by line, and checks every answer against what it computes
//! from the lines it sent.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use shmipc::{CallError, Client, SendError};

use crate::protocol::{FileTotals, Hit, Index, IndexClient, Report, SearchError};
use crate::text::{excerpt, words};
use crate::watcher::{Signal, Watch, watch};

/// How long a call may take on a machine that is busy with other things.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(60);
/// How long the others may take until it is this client's turn.
const OTHERS_PATIENCE: Duration = Duration::from_secs(600);
/// Words that are asked for, spread evenly over all.
const WORDS_ASKED: usize = 64;
/// Patterns that are searched, with these limits each.
const PATTERNS: usize = 8;
const LIMITS: [u32; 4] = [0, 1, 5, 1000];

/// What the parent told this client.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The server's name.
    pub(crate) name: String,
    /// This client's number in the plan, from 0 on.
    pub(crate) client: u32,
    /// Round trips to measure.
    pub(crate) calls: u32,
    /// Claim a line that was never sent, to see that it is found out.
    #[arg(long)]
    pub(crate) lose_line: bool,
}

/// Takes part in the run from hello to report.
///
/// # Errors
/// A file cannot be read, or the server is gone. Wrong answers are no errors but in the report.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (watcher, watch) = watch();
    let index = Client::<Index>::builder(&options.name)
        .deadline(CALL_DEADLINE)
        .serve_events(watcher)
        .connect()?;
    let mut session = Session { index, watch, files: Vec::new(), report: Report::default() };
    let files = session.request(|index| index.hello(options.client))??;
    session.watch.wait_for(&Signal::Start, OTHERS_PATIENCE)?;
    for path in &files {
        session.send_file(path, options.lose_line)?;
    }
    let known = Known::of(&session.files);
    session.check_counts(&known)?;
    session.check_searches(&known)?;
    session.notice(IndexClient::checked)?;
    let turn = Signal::Turn(options.client);
    session.watch.wait_for(&turn, OTHERS_PATIENCE)?;
    session.measure(&known, options.calls)?;
    session.notice(IndexClient::measured)?;
    session.watch.wait_for(&Signal::Finished, OTHERS_PATIENCE)?;
    session.send_report(&known)
}

/// What the client knows of its own lines.
struct Known {
    total: u64,
    /// The words to ask for, and how often they stand there.
    asked: Vec<(String, u64)>,
    most_frequent: (String, u64),
}

impl Known {
    fn of(files: &[Vec<String>]) -> Self {
        let mut counts = BTreeMap::<&str, u64>::new();
        for word in files.iter().flatten().flat_map(|line| words(line)) {
            *counts.entry(word).or_default() += 1;
        }
        let owned = |(word, count): (&&str, &u64)| ((*word).to_owned(), *count);
        let step = (counts.len() / WORDS_ASKED).max(1);
        // No word has a space, so this one stands nowhere.
        let absent = ("no such word".to_owned(), 0);
        let most_frequent = counts.iter().max_by_key(|(_, count)| **count).map(owned);
        let most_frequent = most_frequent.unwrap_or_else(|| absent.clone());
        let mut asked: Vec<_> = counts.iter().step_by(step).map(owned).collect();
        asked.extend([most_frequent.clone(), absent]);
        Self { total: counts.values().sum(), asked, most_frequent }
    }
}

struct Session {
    index: Client<Index>,
    watch: Watch,
    /// The lines that were sent.
    files: Vec<Vec<String>>,
    report: Report,
}

impl Session {
    fn notice(
        &mut self,
        send: impl FnOnce(&Client<Index>) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.report.traffic.notices += 1;
        send(&self.index)
    }

    fn request<R>(
        &mut self,
        call: impl FnOnce(&Client<Index>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        self.report.traffic.requests += 1;
        call(&self.index)
    }

    fn check<T: PartialEq + Debug>(&mut self, what: impl FnOnce() -> String, got: &T, own: &T) {
        self.report.checks += 1;
        if got != own {
            let text = format!("{}: the server says {got:?}, not {own:?}", what());
            self.report.mismatches.push(text);
        }
    }

    fn send_file(&mut self, path: &OsString, lose_line: bool) -> Result<()> {
        let path = Path::new(path);
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        // A line that is not UTF-8 is sent with replacement characters.
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let path = path.display().to_string();
        self.notice(|index| index.file(path.clone()))?;
        let mut totals = FileTotals::default();
        for (number, line) in (1_u64..).zip(&lines) {
            if !(lose_line && number == 1) {
                self.notice(|index| index.line(line.clone()))
                    .with_context(|| format!("cannot send line {number} of {path}"))?;
            }
            self.watch.sent_line();
            totals.lines += 1;
            totals.bytes += line.len() as u64;
        }
        let counted = self.request(IndexClient::file_end)?;
        self.check(|| path, &counted, &totals);
        self.report.files += 1;
        self.report.totals.lines += totals.lines;
        self.report.totals.bytes += totals.bytes;
        self.files.push(lines);
        Ok(())
    }

    fn check_counts(&mut self, known: &Known) -> Result<()> {
        for (word, own) in &known.asked {
            let got = self.request(|index| index.count(word.clone()))?;
            self.check(|| format!("count of {:?}", excerpt(word)), &got, own);
        }
        Ok(())
    }

    fn check_searches(&mut self, known: &Known) -> Result<()> {
        let step = (known.asked.len() / PATTERNS).max(1);
        let asked = known.asked.iter().step_by(step);
        for (pattern, _) in asked.filter(|(pattern, _)| !pattern.is_empty()) {
            let pattern = excerpt(pattern);
            for limit in LIMITS {
                let got = self.request(|index| index.search(pattern.to_owned(), limit))?;
                let own = Ok(self.search_own(pattern, limit));
                self.check(|| format!("search for {pattern:?}"), &got, &own);
            }
        }
        let got = self.request(|index| index.search(String::new(), 1))?;
        self.check(|| "search for nothing".into(), &got, &Err(SearchError::EmptyPattern));
        Ok(())
    }

    fn search_own(&self, pattern: &str, limit: u32) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (file, lines) in (0_u32..).zip(&self.files) {
            for (line, text) in (1_u64..).zip(lines) {
                if hits.len() == limit as usize {
                    return hits;
                }
                if text.contains(pattern) {
                    hits.push(Hit { file, line, excerpt: excerpt(text).to_owned() });
                }
            }
        }
        hits
    }

    /// Round trips of one typed call after another, while the other clients are quiet.
    fn measure(&mut self, known: &Known, calls: u32) -> Result<()> {
        let (word, own) = &known.most_frequent;
        for _ in 0..calls / 4 {
            self.request(|index| index.count(word.clone()))?;
        }
        let mut histogram = Histogram::<u64>::new(3)?;
        for _ in 0..calls {
            let started = Instant::now();
            let got = self.request(|index| index.count(word.clone()))?;
            let took = started.elapsed().as_nanos();
            histogram.record(u64::try_from(took)?.max(1))?;
            self.check(|| format!("count of {:?}", excerpt(word)), &got, own);
        }
        let recorded = histogram.iter_recorded();
        self.report.round_trips = recorded
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect();
        Ok(())
    }

    fn send_report(mut self, known: &Known) -> Result<()> {
        let seen = self.watch.seen();
        self.report.words = known.total;
        self.report.traffic.events = seen.events;
        self.report.traffic.callbacks = seen.callbacks;
        self.report.mismatches.extend(seen.mismatches);
        for rejection in self.index.take_rejections() {
            let text = format!("{:#}", anyhow::Error::new(rejection));
            self.report.mismatches.push(text);
        }
        let mut report = Box::new(std::mem::take(&mut self.report));
        // This request too.
        report.traffic.requests += 1;
        self.index.report(report)??;
        Ok(())
    }
}
