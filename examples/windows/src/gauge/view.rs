//! How a gauge's window is drawn.

use eframe::egui::{Button, CentralPanel, Panel, ScrollArea, TextEdit, Ui, Vec2b};
use egui_plot::{Legend, Line, Plot, PlotPoints};
use shmipc_examples::grouped;

use super::series::SHOWN;
use super::window::GaugeWindow;

/// From so many points on two plots stand side by side.
const WIDE: f32 = 480.0;
/// The lowest plot that one can read.
const LOWEST: f32 = 110.0;
const MIB: f64 = 1_048_576.0;

/// One plot: what it shows, the highest value at least, and its curves.
struct Chart<'a> {
    title: &'a str,
    least_top: f64,
    curves: Vec<(&'a str, Vec<[f64; 2]>)>,
}

impl GaugeWindow {
    pub(super) fn show(&mut self, ui: &mut Ui) {
        Panel::top("head").show(ui, |ui| self.show_head(ui));
        CentralPanel::default().show(ui, |ui| {
            let columns = if ui.available_width() >= WIDE { 2 } else { 1 };
            let charts = self.charts();
            let rows = charts.len().div_ceil(columns);
            let height = (ui.available_height() / rows as f32 - 30.0).max(LOWEST);
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                for row in charts.chunks(columns) {
                    ui.columns(columns, |uis| {
                        for (ui, chart) in uis.iter_mut().zip(row) {
                            show_chart(ui, chart, height);
                        }
                    });
                }
            });
        });
        self.came = 0;
    }

    fn show_head(&mut self, ui: &mut Ui) {
        ui.add_space(4.0);
        let is_wanted = self.standing.is_wanted();
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Source");
            let edit = TextEdit::singleline(&mut self.name).desired_width(130.0).char_limit(300);
            ui.add_enabled(!is_wanted, edit).labelled_by(label.id);
            if ui.add(Button::new(if is_wanted { "Stop" } else { "Watch" })).clicked() {
                if is_wanted { self.stop() } else { self.watch() }
            }
            self.standing.show(ui);
        });
        ui.label(self.sentence());
        ui.add_space(4.0);
    }

    /// How new the picture is, and what is not in it.
    fn sentence(&self) -> String {
        let (Some(newest), Some(age)) = (self.series.newest(), self.age()) else {
            return "nothing was measured yet".into();
        };
        format!(
            "sample {}, taken {:.1} ms ago; {} others since the last frame; missed: {}",
            grouped(newest.number),
            age.as_secs_f64() * 1e3,
            self.came.saturating_sub(1),
            grouped(self.missed),
        )
    }

    fn charts(&self) -> Vec<Chart<'static>> {
        let series = &self.series;
        let processors = f64::from(self.machine.as_ref().map_or(1, |machine| machine.processors));
        let memory = self.machine.as_ref().map_or(0.0, |machine| machine.memory as f64);
        // A hundred hundredths in a second are one whole processor.
        let busy = scaled(series.rates(|sample| sample.busy), 1.0 / processors.max(1.0));
        let switches = scaled(series.rates(|sample| sample.switches), 1e-3);
        vec![
            Chart { title: "processors, % busy", least_top: 100.0, curves: vec![("busy", busy)] },
            Chart {
                title: "memory in use, MiB",
                least_top: memory / MIB,
                curves: vec![("in use", series.values(|sample| sample.memory as f64 / MIB))],
            },
            Chart {
                title: "network (with loopback), KiB/s",
                least_top: 1.0,
                curves: vec![
                    ("received", scaled(series.rates(|sample| sample.received), 1.0 / 1024.0)),
                    ("sent", scaled(series.rates(|sample| sample.sent), 1.0 / 1024.0)),
                ],
            },
            Chart {
                title: "thread switches, thousand/s",
                least_top: 1.0,
                curves: vec![("switches", switches)],
            },
        ]
    }
}

fn scaled(mut points: Vec<[f64; 2]>, factor: f64) -> Vec<[f64; 2]> {
    for [_, value] in &mut points {
        *value *= factor;
    }
    points
}

fn show_chart(ui: &mut Ui, chart: &Chart<'_>, height: f32) {
    ui.label(chart.title);
    let mut plot = Plot::new(chart.title)
        .height(height)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .auto_bounds(Vec2b::new(false, true))
        .default_x_bounds(-SHOWN, 0.0)
        .include_y(0.0)
        .include_y(chart.least_top);
    if chart.curves.len() > 1 {
        plot = plot.legend(Legend::default());
    }
    plot.show(ui, |plot| {
        for (name, points) in &chart.curves {
            plot.line(Line::new(*name, PlotPoints::from(points.clone())));
        }
    });
}
