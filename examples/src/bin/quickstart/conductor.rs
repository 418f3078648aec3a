//! The parent process: starts the others, waits for them, and judges the run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use shmipc::Client;
use shmipc_examples::{ChildGuard, Remains, connect_to_child, unique_name};

use crate::client::CALL_DEADLINE;
use crate::corpus;
use crate::protocol::{FileTotals, Index, IndexClient, Summary, Traffic};
use crate::watcher::{Signal, Watch, watch};

/// How long the server may take to end, and its last event to come.
const SERVER_PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at the client processes.
const LOOK: Duration = Duration::from_millis(20);

/// What the user asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Text files to send. Without any: this project's own sources and docs.
    pub(crate) files: Vec<PathBuf>,
    /// Client processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=64))]
    pub(crate) clients: u32,
    /// Round trips that each client measures, after a quarter as many to warm up.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: u32,
    /// Print one line of JSON instead of the report.
    #[arg(long)]
    pub(crate) json: bool,
    /// Most seconds that the run may take.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
    /// Have the first client claim a line that it never sent: the run must find it out.
    #[arg(long, hide = true)]
    pub(crate) lose_line: bool,
}

/// A run that came to its end, and what everybody says about it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) server_pid: u32,
    pub(crate) summary: Summary,
    /// Messages between this process and the server.
    pub(crate) traffic: Traffic,
    pub(crate) mismatches: Vec<String>,
    pub(crate) took: Duration,
}

/// Runs it all. Every process that was started has ended when this returns.
///
/// # Errors
/// A file cannot be read, or a process failed.
pub(crate) fn run(options: &Options) -> Result<Run> {
    let plan = corpus::plan(&options.files, options.clients as usize)?;
    let started = Instant::now();
    let deadline = started + Duration::from_secs(options.timeout);
    let name = unique_name("quickstart");
    let _remains = Remains::<Index>::of(&name);
    let mut server = ChildGuard::start_self("the server", ["role", "server", &name])?;
    let (watcher, watch) = watch();
    let index = connect_to_child(&mut server, || {
        Client::<Index>::builder(&name).deadline(CALL_DEADLINE).serve_events(watcher.clone())
    })?;
    let mut traffic = Traffic::default();
    traffic.requests += 1;
    index.plan(plan)??;
    let clients = start_clients(options, &name)?;
    wait_for_clients(clients, &mut server, &watch, deadline)?;
    traffic.requests += 1;
    let summary = index.summary()?;
    // All reports came after the last event was sent, so it is on its way at least.
    let finished = take_until_finished(&watch, summary.events)?;
    traffic.notices += 1;
    index.finish()?;
    server.wait(SERVER_PATIENCE)?;
    let seen = watch.seen();
    traffic.events = seen.events;
    let mut mismatches = judge(&summary, options.clients as usize);
    mismatches.extend(seen.mismatches);
    mismatches.extend(finished);
    Ok(Run {
        server_pid: index.server_pid(),
        summary,
        traffic,
        mismatches,
        took: started.elapsed(),
    })
}

fn start_clients(options: &Options, name: &str) -> Result<Vec<ChildGuard>> {
    let start = |client: u32| {
        let (number, calls) = (client.to_string(), options.calls.to_string());
        let mut arguments = vec!["role", "client", name, &number, &calls];
        if options.lose_line && client == 0 {
            arguments.push("--lose-line");
        }
        ChildGuard::start_self(&format!("client {}", client + 1), arguments)
    };
    (0..options.clients).map(start).collect()
}

/// Waits until all have ended well. Dropping the rest on an error kills them.
fn wait_for_clients(
    mut clients: Vec<ChildGuard>,
    server: &mut ChildGuard,
    watch: &Watch,
    deadline: Instant,
) -> Result<()> {
    while !clients.is_empty() {
        let mut left = Vec::new();
        for mut client in clients {
            if !client.has_succeeded()? {
                left.push(client);
            }
        }
        clients = left;
        ensure!(!server.has_succeeded()?, "the server ended before the clients");
        let names: Vec<_> = clients.iter().map(ChildGuard::name).collect();
        ensure!(
            Instant::now() < deadline,
            "{} did not end in time; give `--timeout` more seconds",
            names.join(", ")
        );
        // The server's end comes at once this way, and not only with the next look.
        watch.next(LOOK)?;
    }
    Ok(())
}

/// The events of this process must be all that the server sent.
fn take_until_finished(watch: &Watch, events: u64) -> Result<Option<String>> {
    let started = Instant::now();
    while watch.seen().events < events && started.elapsed() < SERVER_PATIENCE {
        if watch.next(LOOK)? == Some(Signal::Finished) {
            break;
        }
    }
    let seen = watch.seen().events;
    Ok((seen != events).then(|| format!("this process saw {seen} events of {events}")))
}

/// What does not fit together in what server and clients say.
fn judge(summary: &Summary, clients: usize) -> Vec<String> {
    let mut mismatches = summary.mismatches.clone();
    let (mut totals, mut words, mut reports) = (FileTotals::default(), 0, 0);
    for account in &summary.accounts {
        let Some(report) = &account.report else {
            continue;
        };
        reports += 1;
        totals.lines += report.totals.lines;
        totals.bytes += report.totals.bytes;
        words += report.words;
        let name = format!("client {}", account.client + 1);
        if (account.files, account.words) != (report.files, report.words) {
            mismatches.push(format!(
                "{name} sent {} files with {} words, the server has {} with {}",
                report.files, report.words, account.files, account.words
            ));
        }
        let own = report.mismatches.iter();
        mismatches.extend(own.map(|text| format!("{name}: {text}")));
    }
    if reports != clients {
        mismatches.push(format!("{reports} of {clients} clients have reported"));
    }
    if (summary.totals, summary.words) != (totals, words) {
        mismatches.push(format!(
            "the clients sent {totals:?} with {words} words in all, the server counted {:?} with \
             {}",
            summary.totals, summary.words
        ));
    }
    mismatches
}
