//! The smallest program with a window: `first-window serve NAME` counts, `first-window show NAME`
//! shows the count, and has a button that adds one.

// ANCHOR: protocol
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use eframe::egui::{CentralPanel, Context as Egui, Ui, ViewportCommand};
use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Server, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
#[shm(events = CounterEvent)]
enum Counter {
    #[shm(reply = u64)]
    Count,
    #[shm(reply = u64)]
    Add { by: u64 },
}

#[derive(Serialize, Deserialize, ShmMessage)]
enum CounterEvent {
    Changed { count: u64 },
}
// ANCHOR_END: protocol

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Default)]
struct Tally(u64);

impl CounterHandler for Tally {
    fn count(&mut self, _cx: &Context<Counter>) -> u64 {
        self.0
    }

    fn add(&mut self, cx: &Context<Counter>, by: u64) -> u64 {
        self.0 = self.0.saturating_add(by);
        cx.server().broadcast(&CounterEvent::Changed { count: self.0 });
        self.0
    }
}

// ANCHOR: link
/// What the library's threads tell the window.
enum News {
    Count(u64),
    Trouble(String),
}

/// Runs on a thread of its own: here waiting is allowed.
fn link(name: &str, jobs: Receiver<u64>, tell: impl Fn(News) + Clone + Send + 'static) {
    let (changed, gone) = (tell.clone(), tell.clone());
    let connected = Client::<Counter>::builder(name)
        .on_event(move |CounterEvent::Changed { count }| changed(News::Count(count)))
        .on_departure(move |how| gone(News::Trouble(format!("the server is gone: {how}"))))
        .connect();
    let counter = match connected {
        Ok(counter) => counter,
        Err(error) => return tell(News::Trouble(error.to_string())),
    };
    match counter.count() {
        Ok(count) => tell(News::Count(count)),
        Err(error) => tell(News::Trouble(error.to_string())),
    }
    // Ends when the window does, for it has the other end.
    for by in jobs {
        if let Err(error) = counter.add(by) {
            tell(News::Trouble(error.to_string()));
        }
    }
}
// ANCHOR_END: link

// ANCHOR: window
struct Window {
    count: Option<u64>,
    trouble: Option<String>,
    news: Receiver<News>,
    jobs: Sender<u64>,
}

impl Window {
    fn open(name: String, egui: Egui) -> Self {
        let (sender, news) = channel();
        let (jobs, todo) = channel();
        let tell = move |what| {
            let _ = sender.send(what);
            egui.request_repaint(); // wakes the window, which sleeps otherwise
        };
        thread::spawn(move || link(&name, todo, tell));
        Self { count: None, trouble: None, news, jobs }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, egui: &Egui, _frame: &mut eframe::Frame) {
        for news in self.news.try_iter() {
            match news {
                News::Count(count) => {
                    self.count = Some(count);
                    egui.send_viewport_cmd(ViewportCommand::Title(format!("count: {count}")));
                }
                News::Trouble(why) => self.trouble = Some(why),
            }
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        CentralPanel::default().show(ui, |ui| {
            match self.count {
                Some(count) => ui.heading(count.to_string()),
                None => ui.label("waiting for the server"),
            };
            if ui.button("Add one").clicked() {
                let _ = self.jobs.send(1); // only says so: the thread does it
            }
            if let Some(why) = &self.trouble {
                ui.label(why);
            }
        });
    }
}
// ANCHOR_END: window

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", name] => {
            let running = Server::<Counter>::bind(name)?.serve(Tally::default())?;
            println!("counting");
            running.join()?;
        }
        ["show", name] => {
            let name = (*name).to_owned();
            let open = Box::new(move |creation: &eframe::CreationContext<'_>| {
                let window = Window::open(name, creation.egui_ctx.clone());
                Ok(Box::new(window) as Box<dyn eframe::App>)
            });
            eframe::run_native("first-window", eframe::NativeOptions::default(), open)?;
        }
        _ => return Err("say serve or show, and a name".into()),
    }
    Ok(())
}
