//! What a chat's window knows, and what becomes of it.

use std::io;
use std::time::Duration;

use shmipc_examples::chat::{self, ChatEvent};
use shmipc_examples::printable;

use super::draft::{self, Draft};
use super::letters::Letters;
use super::news::{MOST_WAITING, News, Order, Unsaid};
use super::transcript::Transcript;
use super::{guest, host};
use crate::desktop::Page;
use crate::inbox::Wake;
use crate::session::{Leaving, Session};
use crate::standing::Standing;
use crate::text::shown;

/// How long the program stays to take leave when its window is closed.
const LEAVING: Duration = Duration::from_secs(3);
/// More names than a server can have links are not kept.
const MOST_PRESENT: usize = 5_000;

/// Which side a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Creates the chat.
    Server,
    /// Connects to it.
    Client,
}

impl Face {
    fn off(self) -> Standing {
        Standing::Off(match self {
            Self::Server => "not created yet",
            Self::Client => "not connected",
        })
    }
}

/// A chat's window.
pub struct ChatWindow {
    pub(super) face: Face,
    pub(super) chat: String,
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) present: Vec<String>,
    pub(super) transcript: Transcript,
    pub(super) draft: Draft,
    pub(super) letters: Letters,
    /// Who left before the list of who is there came.
    gone_early: Vec<String>,
    session: Option<Session<News, Order>>,
    leaving: Leaving,
    /// The number of what is said next, and what is on its way.
    next: u64,
    on_its_way: Vec<(u64, String)>,
    wake: Wake,
}

impl ChatWindow {
    /// A window that is not connected.
    #[must_use]
    pub fn new(face: Face, chat: String, name: String, wake: Wake) -> Self {
        Self {
            face,
            chat,
            name,
            standing: face.off(),
            present: Vec::new(),
            transcript: Transcript::default(),
            draft: Draft::default(),
            letters: Letters::default(),
            gone_early: Vec::new(),
            session: None,
            leaving: Leaving::default(),
            next: 0,
            on_its_way: Vec::new(),
            wake,
        }
    }

    /// *Create*, or *Connect*.
    pub fn open(&mut self) {
        let name = match chat::checked_name(&self.name) {
            Ok(name) => name,
            Err(error) => return self.set_standing(Standing::Failed(error.to_string())),
        };
        self.name.clone_from(&name);
        match self.start(name) {
            Ok(session) => {
                self.session = Some(session);
                self.set_standing(Standing::Waiting("one moment".into()));
            }
            Err(error) => {
                let why = format!("there is no room for a thread: {error}");
                self.set_standing(Standing::Failed(why));
            }
        }
    }

    fn start(&self, name: String) -> io::Result<Session<News, Order>> {
        let (face, chat) = (self.face, self.chat.clone());
        Session::start(MOST_WAITING, self.wake.clone(), move |desk| match face {
            Face::Server => host::run(&chat, &name, desk),
            Face::Client => guest::run(&chat, &name, desk),
        })
    }

    /// *Disconnect*, or *Stop*.
    pub fn close(&mut self) {
        if let Some(session) = self.session.take() {
            self.leaving.add(session, Order::Close);
        }
        self.give_up("you left");
        self.set_standing(self.face.off());
    }

    /// Nobody will tell any more what became of what is on its way.
    fn give_up(&mut self, why: &str) {
        let not = Unsaid { why: why.into(), may_have_arrived: true };
        for (id, text) in std::mem::take(&mut self.on_its_way) {
            self.transcript.not_said(id, &not, text);
        }
    }

    /// Says what was written to everybody.
    pub(super) fn send(&mut self) {
        let text = self.draft.take();
        self.say(text);
    }

    pub(super) fn say(&mut self, text: String) {
        let lines = draft::lines(&text);
        let Some(session) = self.session.as_ref().filter(|_| !lines.is_empty()) else { return };
        let id = self.next;
        self.next += 1;
        session.order(Order::Say { id, parts: draft::parts(&lines) });
        self.on_its_way.push((id, text));
        let shown: Vec<String> = lines.iter().map(|line| printable(line)).collect();
        self.show_said(&self.name.clone(), true, &shown);
        self.transcript.sent(id);
        self.transcript.scroll_to_bottom();
    }

    /// The texts are printable.
    fn show_said(&mut self, from: &str, is_own: bool, lines: &[String]) {
        self.transcript.said(from, is_own, &time_of_day(), lines);
        self.letters.come(from);
        lines.iter().for_each(|line| self.letters.come(line));
    }

    fn note(&mut self, text: &str) {
        self.transcript.note(format!("{text}  {}", time_of_day()));
        self.letters.come(text);
    }

    /// What shows in the transcript too is that a link came up, went down, or cannot be had.
    fn set_standing(&mut self, standing: Standing) {
        if standing == self.standing {
            return;
        }
        match &standing {
            Standing::Up(text) => {
                self.note(&text.clone());
                self.draft.focus();
            }
            Standing::Lost(text) | Standing::Failed(text) => {
                self.transcript.trouble(format!("{text}  {}", time_of_day()));
            }
            Standing::Off(_) if self.standing.is_up() => self.note("you left"),
            Standing::Off(_) | Standing::Waiting(_) => {}
        }
        if !standing.is_up() {
            self.present.clear();
            self.gone_early.clear();
        }
        if let Standing::Failed(why) = &standing {
            // Its thread has ended, or is about to.
            self.session = None;
            self.give_up(why);
        }
        self.standing = standing;
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Standing(standing) => self.set_standing(standing.shown()),
            News::Present(names) => self.hear_present(&names),
            News::Chat(event) => self.hear_chat(event),
            News::Said { id } => {
                self.on_its_way.retain(|(of, _)| *of != id);
            }
            News::NotSaid { id, not } => {
                if let Some(index) = self.on_its_way.iter().position(|(of, _)| *of == id) {
                    let (_, text) = self.on_its_way.remove(index);
                    self.transcript.not_said(id, &not, text);
                }
            }
            News::Note(text) => self.note(&shown(&text)),
        }
    }

    /// Who is there, as it was some moment ago: others may have come and gone since, and that was
    /// heard before.
    fn hear_present(&mut self, names: &[String]) {
        let came = std::mem::take(&mut self.present);
        let gone = std::mem::take(&mut self.gone_early);
        let names = names.iter().take(MOST_PRESENT).map(|name| shown(name));
        self.present = names.filter(|name| !gone.contains(name) && !came.contains(name)).collect();
        self.present.extend(came);
    }

    fn hear_chat(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Said { from, lines } => self.show_said(&from, false, &lines),
            ChatEvent::Joined { name } => {
                self.note(&format!("{name} joined"));
                if self.present.len() < MOST_PRESENT {
                    self.present.push(name);
                }
            }
            ChatEvent::Left { name, suddenly } => {
                let how = if suddenly { "is gone without a goodbye" } else { "left" };
                self.note(&format!("{name} {how}"));
                self.present.retain(|present| *present != name);
                if !self.standing.is_up() && self.gone_early.len() < MOST_PRESENT {
                    self.gone_early.push(name);
                }
            }
            ChatEvent::Missed { lines } => {
                let text = format!("lines that were missed here: {lines}");
                self.transcript.trouble(text);
            }
        }
    }
}

impl Page for ChatWindow {
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
        let side = match self.face {
            Face::Server => "server",
            Face::Client => "client",
        };
        format!("{} – {} – chat {side}", printable(&self.chat), self.standing.word())
    }

    fn leave(&mut self) {
        // Who is not in has nobody to take leave of.
        let is_in = self.standing.is_up();
        self.close();
        if is_in {
            self.leaving.wait(LEAVING);
        }
    }
}

fn time_of_day() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who comes while this side joins is told before the list of those who were there.
    #[test]
    fn who_comes_or_goes_early_is_not_forgotten() {
        let chat = "any".to_owned();
        let mut window =
            ChatWindow::new(Face::Client, chat, "ann".into(), std::sync::Arc::new(|| {}));
        window.hear(News::Chat(ChatEvent::Joined { name: "carol".into() }));
        window.hear(News::Chat(ChatEvent::Left { name: "dan".into(), suddenly: true }));
        let names = ["server", "dan", "ann"].map(str::to_owned);
        window.hear(News::Present(names.to_vec()));
        assert_eq!(window.present, ["server", "ann", "carol"]);
    }
}
