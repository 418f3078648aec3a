//! A program's one window, and how it ends.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use eframe::egui::{self, Context, Ui, ViewportBuilder, ViewportCommand};
use hdrhistogram::Histogram;
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

/// How a program wants its window.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Options {
    /// Print how long drawing took when the window is closed.
    #[arg(long)]
    pub frame_times: bool,
    /// For a window whose news come without end: it is drawn so long after the first of them.
    #[arg(skip)]
    pub pause: Duration,
}

/// Shows a window until it is closed, or Ctrl-C.
///
/// # Errors
/// There is no display, or it cannot draw.
pub fn run<P: Page + 'static>(
    name: &str,
    options: Options,
    page: impl FnOnce(Wake) -> P + 'static,
) -> Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch Ctrl-C")?;
    let viewport = ViewportBuilder::default()
        .with_app_id(name)
        .with_title(name)
        .with_inner_size(SIZE)
        .with_min_inner_size(SMALLEST);
    let frames = if options.frame_times { Some(FrameTimes::new()?) } else { None };
    let create = move |creation: &eframe::CreationContext<'_>| {
        let context = &creation.egui_ctx;
        set_style(context);
        close_on(signals, context.clone())?;
        let page = page(waker(context.clone(), options.pause));
        Ok(Box::new(Program { page, title: String::new(), frames }) as Box<dyn eframe::App>)
    };
    let native = eframe::NativeOptions { viewport, ..Default::default() };
    let ran = eframe::run_native(name, native, Box::new(create));
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
    frames: Option<FrameTimes>,
}

/// Microseconds that frames took.
struct FrameTimes {
    /// The page's own part.
    page: Histogram<u64>,
    /// From one frame's begin to the next one's, painting too, where one followed the other.
    whole: Histogram<u64>,
    last: Option<Instant>,
}

/// A frame that came later than this after the one before did not follow it.
const FOLLOWING: Duration = Duration::from_millis(200);

impl FrameTimes {
    fn new() -> Result<Self> {
        let histogram = || Histogram::new(3).context("cannot count frames");
        Ok(Self { page: histogram()?, whole: histogram()?, last: None })
    }

    fn begin(&mut self) -> Instant {
        let now = Instant::now();
        if let Some(time) = self.last.replace(now).map(|last| now - last)
            && time < FOLLOWING
        {
            // A time beyond all bounds is none.
            self.whole.record(time.as_micros() as u64).ok();
        }
        now
    }

    fn end(&mut self, begin: Instant) {
        self.page.record(begin.elapsed().as_micros() as u64).ok();
    }

    fn print(&self) {
        for (what, times) in [("drawing up the page", &self.page), ("a whole frame", &self.whole)] {
            let ms = |micros: u64| micros as f64 / 1e3;
            eprintln!(
                "{what}: {} times, median {:.1} ms, 99 % within {:.1} ms, the longest {:.1} ms",
                times.len(),
                ms(times.value_at_quantile(0.5)),
                ms(times.value_at_quantile(0.99)),
                ms(times.max())
            );
        }
    }
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
        let begin = self.frames.as_mut().map(FrameTimes::begin);
        self.page.ui(ui);
        if let (Some(frames), Some(begin)) = (&mut self.frames, begin) {
            frames.end(begin);
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.page.leave();
        if let Some(frames) = &self.frames {
            frames.print();
        }
    }
}
