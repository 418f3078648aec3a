//! The box to write in.

use eframe::egui::{Event, Key, KeyboardShortcut, Modifiers, Response, ScrollArea, TextEdit, Ui};
use shmipc_examples::grouped;

/// A text longer than this, in bytes, is not put into the box but beside it when it is pasted:
/// a box to write in lays all of its text out whenever a letter changes.
const LONGEST_PASTE: usize = 16 << 10;
/// How high the box may grow, in points.
const HIGHEST: f32 = 110.0;
/// Most bytes of text that go in one message.
const MOST_BYTES: usize = 1 << 20;
/// Most lines that go in one message.
const MOST_LINES: usize = 1_000;

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    typed: String,
    /// Long texts that were pasted.
    beside: Vec<String>,
    wants_focus: bool,
}

impl Draft {
    /// Shows it. `true`: it shall be sent.
    pub(super) fn show(&mut self, ui: &mut Ui, can_send: bool) -> bool {
        self.show_beside(ui);
        let mut wants = false;
        ui.horizontal(|ui| {
            let button = 56.0;
            let width = (ui.available_width() - button - ui.spacing().item_spacing.x).max(60.0);
            let area = ScrollArea::vertical().id_salt("draft").max_height(HIGHEST);
            let edit = area.max_width(width).show(ui, |ui| self.show_edit(ui, width)).inner;
            wants |= edit;
            let send = eframe::egui::Button::new("Send");
            wants |= ui.add_enabled(can_send && !self.is_empty(), send).clicked();
        });
        wants && can_send && !self.is_empty()
    }

    fn show_edit(&mut self, ui: &mut Ui, width: f32) -> bool {
        let id = ui.make_persistent_id("to write in");
        let has_focus = ui.memory(|memory| memory.has_focus(id));
        let mut enter = false;
        if has_focus {
            self.put_long_pastes_beside(ui);
            enter = takes_enter(ui);
        }
        let label = ui.label("Message");
        let edit = TextEdit::multiline(&mut self.typed)
            .id(id)
            .desired_rows(2)
            .desired_width(width)
            .hint_text("Enter sends, Shift-Enter breaks the line")
            .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
        let response: Response = ui.add(edit).labelled_by(label.id);
        if enter || std::mem::take(&mut self.wants_focus) {
            response.request_focus();
        }
        enter
    }

    fn show_beside(&mut self, ui: &mut Ui) {
        let mut dropped = None;
        for (index, text) in self.beside.iter().enumerate() {
            ui.horizontal_wrapped(|ui| {
                let characters = grouped(text.chars().count() as u64);
                let lines = grouped(text.lines().count() as u64);
                ui.label(format!("a pasted text: {characters} characters, lines: {lines}"));
                if ui.small_button("Remove").clicked() {
                    dropped = Some(index);
                }
            });
        }
        if let Some(index) = dropped {
            self.beside.remove(index);
        }
    }

    fn put_long_pastes_beside(&mut self, ui: &Ui) {
        let before = self.beside.len();
        ui.input_mut(|input| {
            input.events.retain_mut(|event| match event {
                Event::Paste(text) if text.len() > LONGEST_PASTE => {
                    self.beside.push(std::mem::take(text));
                    false
                }
                _ => true,
            });
        });
        if self.beside.len() > before {
            // It is shown above what is drawn already.
            ui.ctx().request_repaint();
        }
    }

    /// Who is connected wants to write.
    pub(super) fn focus(&mut self) {
        self.wants_focus = true;
    }

    fn is_empty(&self) -> bool {
        self.typed.trim().is_empty() && self.beside.is_empty()
    }

    /// What was written; nothing is left.
    pub(super) fn take(&mut self) -> String {
        let mut text = std::mem::take(&mut self.beside).join("\n");
        if !text.is_empty() && !self.typed.trim().is_empty() {
            text.push('\n');
        }
        text.push_str(&self.typed);
        self.typed.clear();
        text
    }
}

/// Takes Enter away from the box, if it was pressed with nothing else: with Shift it is the box's.
fn takes_enter(ui: &Ui) -> bool {
    let is_enter = |event: &Event| {
        matches!(event, Event::Key { key: Key::Enter, pressed: true, modifiers, .. }
            if modifiers.is_none())
    };
    ui.input_mut(|input| {
        let before = input.events.len();
        input.events.retain(|event| !is_enter(event));
        input.events.len() < before
    })
}

/// A text's lines, without blanks at their ends and without empty ones at its end.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Lines in parts of which each is one message; a line that is too long for one goes on in the
/// next line.
pub(super) fn parts(lines: &[String]) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for line in lines {
        for piece in short(line) {
            let is_full = bytes + piece.len() > MOST_BYTES;
            if let Some(last) = parts.last()
                && !last.is_empty()
                && (is_full || last.len() >= MOST_LINES)
            {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += piece.len();
            if let Some(last) = parts.last_mut() {
                last.push(piece.to_owned());
            }
        }
    }
    parts
}

fn short(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > MOST_BYTES {
        let end = (0..=MOST_BYTES).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_the_end_go_and_those_at_the_begin_stay() {
        assert_eq!(lines("  one \r\n\n two\n\n\n"), ["  one", "", " two"]);
        assert!(lines(" \n ").is_empty());
    }

    #[test]
    fn a_long_text_goes_in_parts_and_none_of_it_is_lost() {
        let many: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
        let in_parts = parts(&many);
        assert_eq!(in_parts.len(), 3);
        assert_eq!(in_parts.concat(), many);
        let long = vec!["é".repeat(MOST_BYTES), "x".into()];
        let in_parts = parts(&long);
        let is_small =
            |part: &Vec<String>| part.iter().map(String::len).sum::<usize>() <= MOST_BYTES;
        assert!(in_parts.iter().all(is_small));
        assert_eq!(in_parts.concat().concat(), long.concat());
        assert_eq!(parts(&["one".into()]), [["one"]]);
    }
}
