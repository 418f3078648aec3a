//! What a gauge's window knows.

use std::time::Duration;

use super::machine;
use super::protocol::Machine;
use super::series::Series;
use super::watcher::{MOST_WAITING, News, Order, watch};
use crate::desktop::Page;
use crate::inbox::Wake;
use crate::session::{Leaving, Session};
use crate::standing::Standing;

/// How long the program stays to take leave when its window is closed.
const LEAVING: Duration = Duration::from_secs(1);
/// What the window says when it does not watch.
const OFF: Standing = Standing::Off("not watching");

/// A window that plots what a source measures.
pub struct GaugeWindow {
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) machine: Option<Machine>,
    pub(super) series: Series,
    /// Samples that came since the last frame; all but the newest are only points of the curves.
    pub(super) came: u64,
    /// Samples that never came: this window did not read in time.
    pub(super) missed: u64,
    session: Option<Session<News, Order>>,
    leaving: Leaving,
    wake: Wake,
}

impl GaugeWindow {
    /// A window that does not watch yet.
    #[must_use]
    pub fn new(name: String, wake: Wake) -> Self {
        Self {
            name,
            standing: OFF,
            machine: None,
            series: Series::default(),
            came: 0,
            missed: 0,
            session: None,
            leaving: Leaving::default(),
            wake,
        }
    }

    /// Watches the source.
    pub fn watch(&mut self) {
        self.series.clear();
        self.missed = 0;
        let name = self.name.clone();
        let run = move |desk| watch(&name, &desk);
        match Session::start(MOST_WAITING, self.wake.clone(), run) {
            Ok(session) => {
                self.session = Some(session);
                self.standing = Standing::Waiting("one moment".into());
            }
            Err(error) => {
                self.standing = Standing::Failed(format!("there is no room for a thread: {error}"));
            }
        }
    }

    /// Watches no more.
    pub fn stop(&mut self) {
        if let Some(session) = self.session.take() {
            self.leaving.add(session, Order::Close);
        }
        self.standing = OFF;
    }

    /// How old the newest sample is.
    pub(super) fn age(&self) -> Option<Duration> {
        let newest = self.series.newest()?;
        Some(Duration::from_nanos(machine::now().saturating_sub(newest.taken)))
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Sample(sample) => {
                self.came += 1;
                self.series.push(sample);
            }
            News::Missed(count) => self.missed += count,
            News::Machine(machine) => self.machine = Some(machine),
            News::Standing(standing) => {
                if matches!(standing, Standing::Failed(_)) {
                    self.session = None;
                }
                self.standing = standing;
            }
        }
    }
}

impl Page for GaugeWindow {
    fn take_news(&mut self) {
        let news = self.session.as_ref().map(Session::news).unwrap_or_default();
        for news in news {
            self.hear(news);
        }
    }

    fn ui(&mut self, ui: &mut eframe::egui::Ui) {
        self.show(ui);
    }

    fn title(&self) -> String {
        let name = shmipc_examples::printable(&self.name);
        format!("{name} – {} – live data", self.standing.word())
    }

    fn leave(&mut self) {
        let is_in = self.standing.is_up();
        self.stop();
        if is_in {
            self.leaving.wait(LEAVING);
        }
    }
}
