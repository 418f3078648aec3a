//! The server process: indexes lines, answers queries, and leads the clients through the run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;
use shmipc::{Context, Departure, Server};
use shmipc_examples::stop_if_alone;

use crate::protocol::{
    FileTotals, Hit, Index, IndexEvent, IndexEventClient, IndexHandler, Report, RunError,
    SearchError, Summary, Traffic,
};
use crate::store::ClientStore;

/// How long the server waits for the process that conducts the run.
const CONDUCTOR_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take to answer the server's question.
const CALLBACK_DEADLINE: Duration = Duration::from_secs(30);
/// Lines between two events about progress.
const PROGRESS: u64 = 1000;

/// Serves until the run is finished or its conductor is gone.
///
/// # Errors
/// The name is taken, or shared memory is full.
pub(crate) fn run(name: &str) -> Result<()> {
    let server = Server::<Index>::builder(name).deadline(CALLBACK_DEADLINE);
    let running = server.bind()?.serve(Indexer::default())?;
    stop_if_alone(&running, CONDUCTOR_PATIENCE)?;
    Ok(running.join()?)
}

#[derive(Default)]
struct Indexer {
    /// The link of the process that made the plan.
    conductor: Option<u64>,
    plan: Vec<Vec<OsString>>,
    /// By link.
    stores: BTreeMap<u64, ClientStore>,
    totals: FileTotals,
    words: u64,
    events: u64,
    checked: usize,
    measured: u32,
    mismatches: Vec<String>,
}

impl Indexer {
    /// Broadcasts the event that `event` makes of the next number.
    fn tell(&mut self, cx: &Context<Index>, event: impl FnOnce(u64) -> IndexEvent) {
        self.events += 1;
        let sent = cx.server().broadcast(&event(self.events));
        // The clients and the conductor.
        let expected = self.stores.len() + 1;
        if sent.delivered != expected {
            self.mismatches.push(format!(
                "event {} went to {} processes instead of {expected} ({} missed it, {:?})",
                self.events, sent.delivered, sent.missed, sent.error
            ));
        }
    }

    fn store(&mut self, cx: &Context<Index>) -> Option<&mut ClientStore> {
        self.stores.get_mut(&cx.peer().id())
    }

    /// The caller's lines, with a request more on its account.
    fn asked(&mut self, cx: &Context<Index>) -> Option<&mut ClientStore> {
        let store = self.store(cx)?;
        store.traffic.requests += 1;
        Some(store)
    }

    /// The caller's lines, with a notice more on its account.
    fn noticed(&mut self, cx: &Context<Index>) -> Option<&mut ClientStore> {
        let store = self.stores.get_mut(&cx.peer().id());
        match store {
            Some(store) => store.traffic.notices += 1,
            None => {
                let pid = cx.peer().pid();
                let text = format!("process {pid} sent a notice without a hello");
                self.mismatches.push(text);
                return None;
            }
        }
        self.store(cx)
    }

    /// Asks the client how many lines it sent. All that it sent before its request is here, for
    /// messages keep their order.
    fn ask_back(&mut self, cx: &Context<Index>) {
        let said = cx.peer().lines_sent();
        let Some(store) = self.store(cx) else { return };
        store.traffic.callbacks += 1;
        let (client, counted) = (store.client + 1, store.totals().lines);
        match said {
            Ok(said) if said == counted => {}
            Ok(said) => self.mismatches.push(format!(
                "client {client} says that it sent {said} lines, the server has {counted}"
            )),
            Err(error) => self.mismatches.push(format!(
                "client {client} did not say how many lines it sent: {:#}",
                anyhow::Error::new(error)
            )),
        }
    }

    /// Compares a client's account with the server's.
    fn compare(&mut self, client: u32, ours: (FileTotals, Traffic), report: &Report) {
        let theirs = (report.totals, report.traffic);
        if ours != theirs {
            self.mismatches
                .push(format!("client {} counted {theirs:?}, the server {ours:?}", client + 1));
        }
    }
}

impl IndexHandler for Indexer {
    fn plan(&mut self, cx: &Context<Index>, files: Vec<Vec<OsString>>) -> Result<(), RunError> {
        if self.conductor.is_some() {
            return Err(RunError::PlannedBefore);
        }
        self.conductor = Some(cx.peer().id());
        self.plan = files;
        Ok(())
    }

    fn hello(&mut self, cx: &Context<Index>, client: u32) -> Result<Vec<OsString>, RunError> {
        let files = self.plan.get(client as usize).cloned();
        let files = files.ok_or(RunError::NotPlanned(client))?;
        if self.stores.values().any(|store| store.client == client) {
            return Err(RunError::TwiceThere(client));
        }
        let mut store = ClientStore::new(client, cx.peer().pid());
        store.traffic.requests += 1;
        self.stores.insert(cx.peer().id(), store);
        if self.stores.len() == self.plan.len() {
            self.tell(cx, |number| IndexEvent::Start { number });
        }
        Ok(files)
    }

    fn file(&mut self, cx: &Context<Index>, path: String) {
        if let Some(store) = self.noticed(cx) {
            store.begin_file(path);
        }
    }

    fn line(&mut self, cx: &Context<Index>, text: String) {
        let bytes = text.len() as u64;
        let Some(words) = self.noticed(cx).and_then(|store| store.add_line(text)) else {
            return;
        };
        self.totals.lines += 1;
        self.totals.bytes += bytes;
        self.words += words;
        let lines = self.totals.lines;
        if lines.is_multiple_of(PROGRESS) {
            self.tell(cx, |number| IndexEvent::Progress { number, lines });
        }
    }

    fn file_end(&mut self, cx: &Context<Index>) -> FileTotals {
        let Some(store) = self.asked(cx) else {
            return FileTotals::default();
        };
        let client = store.client;
        let (path, totals) = store.last_file();
        self.ask_back(cx);
        self.tell(cx, |number| IndexEvent::FileIndexed { number, client, path, totals });
        totals
    }

    fn count(&mut self, cx: &Context<Index>, word: String) -> u64 {
        self.asked(cx).map_or(0, |store| store.count(&word))
    }

    fn search(
        &mut self,
        cx: &Context<Index>,
        pattern: String,
        limit: u32,
    ) -> Result<Vec<Hit>, SearchError> {
        let store = self.asked(cx);
        store.map_or_else(|| Ok(Vec::new()), |store| store.search(&pattern, limit))
    }

    fn checked(&mut self, cx: &Context<Index>) {
        if self.noticed(cx).is_none() {
            return;
        }
        self.checked += 1;
        if self.checked == self.plan.len() {
            self.tell(cx, |number| IndexEvent::Turn { number, client: 0 });
        }
    }

    fn measured(&mut self, cx: &Context<Index>) {
        if self.noticed(cx).is_none() {
            return;
        }
        self.measured += 1;
        let client = self.measured;
        if (client as usize) < self.plan.len() {
            self.tell(cx, |number| IndexEvent::Turn { number, client });
        } else {
            self.tell(cx, |number| IndexEvent::Finished { number });
        }
    }

    fn report(&mut self, cx: &Context<Index>, report: Box<Report>) -> Result<(), RunError> {
        let events = self.events;
        let store = self.asked(cx).ok_or(RunError::NoHello)?;
        // Numbered from 1 on, and sent to all: so many it must have seen.
        store.traffic.events = events;
        let (client, traffic, totals) = (store.client, store.traffic, store.totals());
        store.report = Some(report.clone());
        self.compare(client, (totals, traffic), &report);
        Ok(())
    }

    fn summary(&mut self, _cx: &Context<Index>) -> Summary {
        let mut accounts: Vec<_> = self.stores.values().map(ClientStore::account).collect();
        accounts.sort_by_key(|account| account.client);
        Summary {
            accounts,
            totals: self.totals,
            words: self.words,
            events: self.events,
            mismatches: self.mismatches.clone(),
        }
    }

    fn finish(&mut self, cx: &Context<Index>) {
        if self.conductor == Some(cx.peer().id()) {
            cx.server().stop();
        }
    }

    fn peer_departed(&mut self, cx: &Context<Index>, _departure: &Departure) {
        // Without its conductor the run has no end; the clients learn of the server's.
        if self.conductor == Some(cx.peer().id()) {
            cx.server().stop();
        }
    }

    fn messages_missed(&mut self, cx: &Context<Index>, count: u64) {
        let pid = cx.peer().pid();
        let text = format!("process {pid} dropped {count} messages to the server");
        self.mismatches.push(text);
    }
}
