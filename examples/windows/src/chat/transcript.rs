//! The box of what came: scrolls, is copied, and stays quick however much stands in it. Only what
//! is seen is drawn; how high the rest is was measured before, a little in each frame.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use eframe::egui::style::ScrollAnimation;
use eframe::egui::{Align, Button, Label, Pos2, Rect, ScrollArea, Ui, UiBuilder, Vec2};

use super::news::Unsaid;
use super::rows::{Kind, Row, pieces};
use crate::text::shown;

/// Rows that are kept, and bytes in them; of more the oldest go.
pub(super) const MOST_ROWS: usize = 50_000;
const MOST_BYTES: usize = 32 << 20;
/// Who goes on speaking within this time is not named again.
const SAME_SPEAKER: Duration = Duration::from_secs(60);
/// How long one frame may measure rows that are not seen.
const MEASURING: Duration = Duration::from_millis(4);

/// What was said and happened.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    rows: VecDeque<Row>,
    /// The number of the first row: rows that went.
    gone: u64,
    bytes: usize,
    speaker: Option<(String, Instant)>,
    /// What was said here and did not arrive.
    not_said: BTreeMap<u64, String>,
    place: Place,
    /// Where that was in the last frame, in points.
    offset: f32,
    wants_bottom: bool,
}

/// Where it is scrolled to.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Bottom,
    /// This row is the first that is seen, and so much of it is not.
    Row { number: u64, hidden: f32 },
}

impl Transcript {
    /// Somebody said something, at this time of day.
    pub(super) fn said(&mut self, from: &str, is_own: bool, time: &str, lines: &[String]) {
        let goes_on = self
            .speaker
            .as_ref()
            .is_some_and(|(name, since)| name == from && since.elapsed() < SAME_SPEAKER);
        if !goes_on {
            let who = if is_own { format!("{from} (you)") } else { from.to_owned() };
            self.push(Kind::Speaker { is_own }, format!("{who}  {time}"));
            self.speaker = Some((from.to_owned(), Instant::now()));
        }
        for line in lines {
            let mut kind = Kind::Line;
            for piece in pieces(line) {
                self.push(kind, piece.to_owned());
                kind = Kind::More;
            }
        }
    }

    /// What was said last has this number, and nobody knows yet what becomes of it.
    pub(super) fn sent(&mut self, id: u64) {
        self.push(Kind::Fate(id), String::new());
    }

    /// Something said here did not arrive, or perhaps not.
    pub(super) fn not_said(&mut self, id: u64, not: &Unsaid, text: String) {
        let how = if not.may_have_arrived { "perhaps not sent" } else { "not sent" };
        let shown = format!("{how}: {}", shown(&not.why));
        if self.set_fate(id, &shown) {
            self.not_said.insert(id, text);
            self.speaker = None;
        } else {
            // What was said is not kept any more.
            self.trouble(shown);
        }
    }

    /// Writes what became of something. `false`: its row is not kept any more.
    fn set_fate(&mut self, id: u64, text: &str) -> bool {
        let mut rows = self.rows.iter_mut().rev();
        let Some(row) = rows.find(|row| row.kind == Kind::Fate(id)) else { return false };
        self.bytes = self.bytes - row.text.len() + text.len();
        text.clone_into(&mut row.text);
        row.measured_at = None;
        true
    }

    /// Something happened.
    pub(super) fn note(&mut self, text: String) {
        self.speaker = None;
        self.push(Kind::Note, text);
    }

    /// Something went wrong.
    pub(super) fn trouble(&mut self, text: String) {
        self.speaker = None;
        self.push(Kind::Trouble, text);
    }

    fn push(&mut self, kind: Kind, text: String) {
        self.bytes += text.len();
        self.rows.push_back(Row::new(kind, text));
        while self.rows.len() > MOST_ROWS || self.bytes > MOST_BYTES {
            let Some(row) = self.rows.pop_front() else { break };
            self.bytes -= row.text.len();
            self.gone += 1;
            if let Kind::Fate(id) = row.kind {
                self.not_said.remove(&id);
            }
        }
    }

    /// Scrolls to the newest.
    pub(super) fn scroll_to_bottom(&mut self) {
        self.wants_bottom = !self.is_at_bottom();
    }

    /// Is the newest seen?
    pub(super) fn is_at_bottom(&self) -> bool {
        matches!(self.place, Place::Bottom)
    }

    /// All of it, as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.rows.len());
        for row in &self.rows {
            let is_shown = !matches!(row.kind, Kind::Fate(_)) || !row.text.is_empty();
            if row.kind != Kind::More && is_shown && !text.is_empty() {
                text.push('\n');
            }
            match row.kind {
                Kind::Note | Kind::Trouble => text.push_str("* "),
                Kind::Fate(_) if is_shown => text.push_str("* "),
                _ => {}
            }
            text.push_str(&row.text);
        }
        text
    }

    /// Shows it in all the room that there is. Gives the text of what shall be said again, where
    /// that can be.
    pub(super) fn show(&mut self, ui: &mut Ui, can_send: bool) -> Option<String> {
        let width = ui.available_width() - ui.spacing().scroll.allocated_width();
        self.measure(ui, width.max(1.0));
        let mut area = ScrollArea::vertical().id_salt("transcript").auto_shrink(false);
        area = area.stick_to_bottom(true);
        if let Place::Row { number, hidden } = self.place {
            // What came, went, or was measured above it does not move what is seen.
            let offset = self.top_of(number) + hidden;
            if (offset - self.offset).abs() > 0.5 {
                area = area.vertical_scroll_offset(offset);
            }
        }
        let mut again = None;
        let output = area.show_viewport(ui, |ui, viewport| {
            let size = Vec2::new(width.max(1.0), self.height());
            let origin = ui.min_rect().min;
            ui.allocate_rect(Rect::from_min_size(origin, size), eframe::egui::Sense::hover());
            again = self.show_rows(ui, origin, (size.x, can_send), viewport);
            if std::mem::take(&mut self.wants_bottom) {
                let end = Rect::from_min_size(origin + Vec2::new(0.0, size.y), Vec2::ZERO);
                ui.scroll_to_rect_animation(end, Some(Align::BOTTOM), ScrollAnimation::none());
                ui.ctx().request_repaint();
            }
        });
        let offset = output.state.clamped_offset().y;
        self.offset = offset;
        let bottom = output.content_size.y - output.inner_rect.height();
        self.place = if offset >= bottom - 2.0 { Place::Bottom } else { self.row_at(offset) };
        again
    }

    fn height(&self) -> f32 {
        self.rows.iter().map(|row| row.height).sum()
    }

    fn top_of(&self, number: u64) -> f32 {
        let before = number.saturating_sub(self.gone) as usize;
        self.rows.iter().take(before).map(|row| row.height).sum()
    }

    fn row_at(&self, offset: f32) -> Place {
        let mut top = 0.0;
        for (number, row) in (self.gone..).zip(&self.rows) {
            if top + row.height > offset {
                return Place::Row { number, hidden: offset - top };
            }
            top += row.height;
        }
        Place::Bottom
    }

    /// Measures rows, the newest first, for a moment; the rest in the frames after.
    fn measure(&mut self, ui: &Ui, width: f32) {
        let started = Instant::now();
        for row in self.rows.iter_mut().rev().filter(|row| row.measured_at != Some(width)) {
            if started.elapsed() > MEASURING {
                ui.ctx().request_repaint();
                return;
            }
            measure(row, ui, width);
        }
    }

    fn show_rows(
        &mut self,
        ui: &mut Ui,
        origin: Pos2,
        (width, can_send): (f32, bool),
        viewport: Rect,
    ) -> Option<String> {
        let mut again = None;
        let mut top = 0.0;
        for (number, row) in (self.gone..).zip(&mut self.rows) {
            if top > viewport.max.y {
                break;
            }
            if top + row.height > viewport.min.y && row.height > 0.0 {
                measure(row, ui, width);
                let place = origin + Vec2::new(0.0, top + row.gap());
                let rect = Rect::from_min_size(place, Vec2::new(width, row.height - row.gap()));
                let builder = UiBuilder::new().max_rect(rect).id_salt(number);
                ui.scope_builder(builder, |ui| {
                    ui.add(Label::new(row.job(ui, width)).selectable(true));
                    if let Kind::Fate(id) = row.kind
                        && let Some(text) = self.not_said.get(&id)
                        && ui.add_enabled(can_send, Button::new("Send again").small()).clicked()
                    {
                        again = Some((id, text.clone()));
                    }
                });
            }
            top += row.height;
        }
        let (id, text) = again?;
        self.not_said.remove(&id);
        self.set_fate(id, "sent again below");
        Some(text)
    }
}

fn measure(row: &mut Row, ui: &Ui, width: f32) {
    if row.measured_at == Some(width) {
        return;
    }
    let job = row.job(ui, width);
    let button = if matches!(row.kind, Kind::Fate(_)) { ui.spacing().interact_size.y } else { 0.0 };
    row.height = match row.text.as_str() {
        "" if matches!(row.kind, Kind::Fate(_)) => 0.0,
        _ => ui.fonts_mut(|fonts| fonts.layout_job(job)).size().y + row.gap() + button,
    };
    row.measured_at = Some(width);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(transcript: &Transcript) -> usize {
        transcript.rows.iter().map(|row| row.text.len()).sum()
    }

    /// The text of a fate comes later than its row: it was once not counted, and then taken off.
    #[test]
    fn what_is_kept_is_bounded_and_rightly_counted() {
        let mut transcript = Transcript::default();
        for id in 0..200_u64 {
            let lines = vec![id.to_string(); 1_000];
            transcript.said("ann", true, "12:00:00", &lines);
            transcript.sent(id);
            let not = Unsaid { why: "the server is gone".into(), may_have_arrived: id % 2 == 0 };
            transcript.not_said(id, &not, "text".into());
            assert_eq!(transcript.bytes, counted(&transcript));
        }
        assert!(transcript.rows.len() <= MOST_ROWS);
        assert!(transcript.not_said.len() < 60, "{} are kept", transcript.not_said.len());
        transcript.said("ann", true, "12:00:00", &["x".repeat(MOST_BYTES)]);
        transcript.said("ann", true, "12:00:00", &["y".repeat(1_000)]);
        assert!(transcript.bytes <= MOST_BYTES);
        assert_eq!(transcript.bytes, counted(&transcript));
        // What became of something that is not kept is told all the same.
        transcript.not_said(0, &Unsaid::certainly("too late"), "text".into());
        assert!(transcript.text().ends_with("* not sent: too late"));
    }
}
