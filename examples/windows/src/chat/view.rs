//! How a chat's window is drawn.

use eframe::egui::{
    Button, CentralPanel, Label, Panel, RichText, ScrollArea, TextEdit, TextStyle, Ui,
};

use super::rows;
use super::window::{ChatWindow, Face};
use crate::text::shown;

/// Below so many points a window is scrolled as a whole.
const LOW: f32 = 260.0;
/// The box of what came in such a window.
const LOW_TRANSCRIPT: f32 = 120.0;
/// Names that a line of who is there has at most.
const MOST_NAMES: usize = 50;
/// From so many points on there is room for a list of who is there.
const WIDE: f32 = 440.0;

impl ChatWindow {
    pub(super) fn show(&mut self, ui: &mut Ui) {
        self.letters.look(ui.ctx(), &rows::font(ui));
        if ui.available_height() < LOW {
            CentralPanel::default().show(ui, |ui| {
                ScrollArea::vertical().id_salt("all").show(ui, |ui| {
                    self.show_head(ui, true);
                    let size = eframe::egui::vec2(ui.available_width(), LOW_TRANSCRIPT);
                    ui.allocate_ui(size, |ui| self.show_transcript(ui));
                    self.show_draft(ui);
                });
            });
            return;
        }
        let is_wide = ui.available_width() >= WIDE;
        Panel::top("head").show(ui, |ui| self.show_head(ui, !is_wide));
        Panel::bottom("draft").show(ui, |ui| self.show_draft(ui));
        if is_wide {
            Panel::right("present").resizable(false).exact_size(130.0).show(ui, |ui| {
                self.show_present(ui);
            });
        }
        CentralPanel::default().show(ui, |ui| self.show_transcript(ui));
    }

    /// What to be, and how things stand.
    fn show_head(&mut self, ui: &mut Ui, with_present: bool) {
        ui.add_space(4.0);
        let is_wanted = self.standing.is_wanted();
        ui.horizontal_wrapped(|ui| {
            field(ui, "Chat", &mut self.chat, !is_wanted);
            field(ui, "Name", &mut self.name, !is_wanted);
            let (open, close) = match self.face {
                Face::Server => ("Create", "Stop"),
                Face::Client => ("Connect", "Disconnect"),
            };
            if ui.add(Button::new(if is_wanted { close } else { open })).clicked() {
                if is_wanted { self.close() } else { self.open() }
            }
            if ui.button("Copy all").clicked() {
                ui.ctx().copy_text(self.transcript.text());
            }
            if !self.transcript.is_at_bottom() && ui.button("Newest").clicked() {
                self.transcript.scroll_to_bottom();
            }
        });
        ui.horizontal_wrapped(|ui| self.standing.show(ui));
        if with_present && !self.present.is_empty() {
            let names = self.present.iter().take(MOST_NAMES).map(String::as_str);
            let names: Vec<&str> = names.collect();
            ui.label(shown(&format!("here: {}", names.join(", "))));
        }
        if let Some(sentence) = self.letters.sentence() {
            ui.label(RichText::new(sentence).weak());
        }
        ui.add_space(4.0);
    }

    fn show_present(&self, ui: &mut Ui) {
        ui.add_space(4.0);
        ui.label(RichText::new("Here").strong());
        let area = ScrollArea::vertical().id_salt("present").auto_shrink(false);
        let height = ui.text_style_height(&TextStyle::Body);
        area.show_rows(ui, height, self.present.len(), |ui, seen| {
            for name in &self.present[seen] {
                ui.add(Label::new(name).truncate());
            }
        });
    }

    fn show_transcript(&mut self, ui: &mut Ui) {
        if let Some(text) = self.transcript.show(ui, self.standing.is_up()) {
            self.say(text);
        }
    }

    fn show_draft(&mut self, ui: &mut Ui) {
        ui.add_space(4.0);
        let can_send = self.standing.is_up();
        if self.draft.show(ui, can_send) {
            self.send();
        }
        ui.add_space(4.0);
    }
}

/// A field with its name before it.
fn field(ui: &mut Ui, name: &str, text: &mut String, is_open: bool) {
    let label = ui.label(name);
    let edit = TextEdit::singleline(text).desired_width(110.0).char_limit(300);
    ui.add_enabled(is_open, edit).labelled_by(label.id);
}
