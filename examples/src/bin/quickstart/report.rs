//! What the parent prints.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use shmipc_examples::grouped;

use crate::conductor::Run;
use crate::protocol::Account;

/// Mismatches that are printed; the rest is counted.
const SHOWN: usize = 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    /// All processes of the run, the parent too.
    processes: usize,
    messages: u64,
    mismatches: usize,
    rtt_p50_ns: u64,
    rtt_p99_ns: u64,
}

/// The report for people.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn print(run: &Run) -> Result<()> {
    let mut text = String::new();
    who_is_who(&mut text, run)?;
    exchanged(&mut text, run)?;
    round_trips(&mut text, run)?;
    verdict(&mut text, run)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The one line for programs.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn print_json(run: &Run) -> Result<()> {
    let histogram = all_round_trips(run)?;
    let figures = Figures {
        processes: run.summary.accounts.len() + 2,
        messages: messages(run),
        mismatches: run.mismatches.len(),
        rtt_p50_ns: histogram.value_at_quantile(0.5),
        rtt_p99_ns: histogram.value_at_quantile(0.99),
    };
    writeln!(io::stdout(), "{}", serde_json::to_string(&figures)?)?;
    Ok(())
}

/// The first mismatches, one a line.
pub(crate) fn mismatches(run: &Run) -> String {
    let mut text = String::new();
    for mismatch in run.mismatches.iter().take(SHOWN) {
        text.push_str("\n  ");
        text.push_str(mismatch);
    }
    let more = run.mismatches.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

/// All messages of the run: every notice, request, reply, event, question and answer.
fn messages(run: &Run) -> u64 {
    let accounts = run.summary.accounts.iter();
    let clients: u64 = accounts.map(|account| account.traffic.messages()).sum();
    clients + run.traffic.messages()
}

fn who_is_who(text: &mut String, run: &Run) -> fmt::Result {
    let accounts = &run.summary.accounts;
    let processes = accounts.len() + 2;
    writeln!(text, "{processes} processes, all over shared memory:")?;
    writeln!(text, "  parent    pid {:<8}", std::process::id())?;
    writeln!(text, "  server    pid {:<8}", run.server_pid)?;
    for account in accounts {
        writeln!(
            text,
            "  client {:<2} pid {:<8} files {:<6} lines {}",
            account.client + 1,
            account.pid,
            account.files,
            grouped(account.totals.lines)
        )?;
    }
    Ok(())
}

fn exchanged(text: &mut String, run: &Run) -> fmt::Result {
    let of_each =
        |value: fn(&Account) -> u64| -> u64 { run.summary.accounts.iter().map(value).sum::<u64>() };
    let rows = [
        ("files", of_each(|account| account.files)),
        ("lines", run.summary.totals.lines),
        ("bytes of text", run.summary.totals.bytes),
        ("words", run.summary.words),
        ("notices", run.traffic.notices + of_each(|account| account.traffic.notices)),
        (
            "requests with replies",
            run.traffic.requests + of_each(|account| account.traffic.requests),
        ),
        ("events received", run.traffic.events + of_each(|account| account.traffic.events)),
        ("questions of the server", of_each(|account| account.traffic.callbacks)),
        ("messages in all", messages(run)),
    ];
    writeln!(text, "\nexchanged in {:.2?}:", run.took)?;
    for (what, number) in rows {
        writeln!(text, "  {what:<24} {:>12}", grouped(number))?;
    }
    Ok(())
}

fn round_trips(text: &mut String, run: &Run) -> Result<()> {
    writeln!(
        text,
        "\nround trip of a typed call  {:>10} {:>10} {:>10} {:>10}",
        "calls", "mean", "median", "p99"
    )?;
    for account in &run.summary.accounts {
        let name = format!("client {}", account.client + 1);
        row(text, &name, &of_accounts(std::slice::from_ref(account))?)?;
    }
    row(text, "all", &all_round_trips(run)?)?;
    Ok(())
}

fn row(text: &mut String, name: &str, histogram: &Histogram<u64>) -> fmt::Result {
    writeln!(
        text,
        "  {name:<25} {:>10} {:>10} {:>10} {:>10}",
        grouped(histogram.len()),
        format!("{:.2?}", Duration::from_secs_f64(histogram.mean() / 1e9)),
        format!("{:.2?}", Duration::from_nanos(histogram.value_at_quantile(0.5))),
        format!("{:.2?}", Duration::from_nanos(histogram.value_at_quantile(0.99))),
    )
}

fn all_round_trips(run: &Run) -> Result<Histogram<u64>> {
    of_accounts(&run.summary.accounts)
}

fn of_accounts(accounts: &[Account]) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    let reports = accounts.iter().filter_map(|account| account.report.as_ref());
    for (nanoseconds, count) in reports.flat_map(|report| &report.round_trips) {
        histogram.record_n(*nanoseconds, *count)?;
    }
    Ok(histogram)
}

fn verdict(text: &mut String, run: &Run) -> fmt::Result {
    let reports = run.summary.accounts.iter();
    let reports = reports.filter_map(|account| account.report.as_ref());
    let checks: u64 = reports.map(|report| report.checks).sum();
    let checks = grouped(checks);
    match run.mismatches.len() {
        0 => writeln!(
            text,
            "\nchecked: {checks} answers, every event and every total; everything agreed"
        ),
        wrong => writeln!(text, "\nchecked: {checks} answers; {wrong} did not agree"),
    }
}
