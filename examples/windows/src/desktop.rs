//! A program's one window, and how it ends.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use eframe::egui::{self, Context, Ui, ViewportBuilder, ViewportCommand};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::inbox::Wake;

/// How long a second Ctrl-C is not needed.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// What a window shows.
pub trait Page {
    /// Takes what came from the library's threads, also while the window is not seen.
    fn take_news(&mut self);

    /// Draws it.
    fn ui(&mut self, ui: &mut Ui);

    /// The window's title.
    fn title(&self) -> String;

    /// The window is closed: takes leave, and waits for it for a moment.
    fn leave(&mut self);
}

/// A new window's size in points.
pub const SIZE: [f32; 2] = [560.0, 480.0];
/// The smallest that it is useful at; below, what does not fit is scrolled to.
pub const SMALLEST: [f32; 2] = [200.0, 100.0];

/// Shows a window until it is closed, or Ctrl-C.
///
/// # Errors
/// There is no display, or it cannot draw.
pub fn run<P: Page + 'static>(name: &str, page: impl FnOnce(Wake) -> P + 'static) -> Result<()> {
    run_at(name, Duration::ZERO, page)
}

/// The same for a window whose news come without end: it is drawn so long after the first.
///
/// # Errors
/// As [`run`].
pub fn run_at<P: Page + 'static>(
    name: &str,
    pause: Duration,
    page: impl FnOnce(Wake) -> P + 'static,
) -> Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch Ctrl-C")?;
    let viewport = ViewportBuilder::default()
        .with_app_id(name)
        .with_title(name)
        .with_inner_size(SIZE)
        .with_min_inner_size(SMALLEST);
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    let create = move |creation: &eframe::CreationContext<'_>| {
        let context = &creation.egui_ctx;
        set_style(context);
        close_on(signals, context.clone())?;
        let page = page(waker(context.clone(), pause));
        Ok(Box::new(Program { page, title: String::new() }) as Box<dyn eframe::App>)
    };
    let ran = eframe::run_native(name, options, Box::new(create));
    ran.map_err(|error| anyhow!("cannot show a window: {error}; is there a display?"))
}

/// What wakes the window of a context, so long after.
#[must_use]
pub fn waker(context: Context, pause: Duration) -> Wake {
    Arc::new(move || context.request_repaint_after(pause))
}

/// As these windows look; for tests that draw them without a display, too.
pub fn set_style(context: &Context) {
    context.all_styles_mut(|style| {
        // A cursor that blinks draws the window twice a second for nothing else.
        style.visuals.text_cursor.blink = false;
        // Its width does not depend on where the pointer is, so neither does where lines break.
        style.spacing.scroll = egui::style::ScrollStyle::solid();
    });
}

/// Ctrl-C closes the window as a click does, and ends the program if that takes too long.
fn close_on(mut signals: Signals, context: Context) -> std::io::Result<()> {
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            context.send_viewport_cmd(ViewportCommand::Close);
            context.request_repaint();
            thread::sleep(LAST_PATIENCE);
            std::process::exit(128 + signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

struct Program<P> {
    page: P,
    title: String,
}

impl<P: Page> eframe::App for Program<P> {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        self.page.take_news();
        let title = self.page.title();
        if title != self.title {
            context.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.page.ui(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.page.leave();
    }
}
