//! Rows of a transcript: what is shown at its place, or not at all.

use eframe::egui::{Color32, FontId, TextStyle, Ui, text::LayoutJob};

/// Most characters in a row; a longer line goes on in the next. What is laid out for one frame
/// stays small, however long the lines are.
const LONGEST: usize = 2_000;

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who speaks, and when.
    Speaker { is_own: bool },
    /// A line of what was said, or the first part of it.
    Line,
    /// More of the line before.
    More,
    /// What happened.
    Note,
    /// What went wrong.
    Trouble,
    /// What became of what was said here.
    Fate(u64),
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// In points; a guess until it was measured.
    pub(super) height: f32,
    /// The width at which it was.
    pub(super) measured_at: Option<f32>,
}

impl Row {
    pub(super) fn new(kind: Kind, text: String) -> Self {
        let height = if matches!(kind, Kind::Fate(_)) { 0.0 } else { 18.0 };
        Self { kind, text, height, measured_at: None }
    }

    /// How it is laid out in so much width.
    pub(super) fn job(&self, ui: &Ui, width: f32) -> LayoutJob {
        let visuals = ui.visuals();
        let color = match self.kind {
            Kind::Speaker { is_own: true } => visuals.hyperlink_color,
            Kind::Speaker { is_own: false } => visuals.strong_text_color(),
            Kind::Line | Kind::More => visuals.text_color(),
            Kind::Note => visuals.weak_text_color(),
            Kind::Trouble | Kind::Fate(_) => trouble(visuals.dark_mode),
        };
        LayoutJob::simple(self.text.clone(), font(ui), color, width)
    }

    /// Room above it.
    pub(super) fn gap(&self) -> f32 {
        if matches!(self.kind, Kind::Speaker { .. } | Kind::Note | Kind::Trouble) {
            6.0
        } else {
            1.0
        }
    }
}

/// The font that everything is shown in.
pub(super) fn font(ui: &Ui) -> FontId {
    TextStyle::Body.resolve(ui.style())
}

fn trouble(is_dark: bool) -> Color32 {
    if is_dark { Color32::from_rgb(255, 120, 110) } else { Color32::from_rgb(180, 30, 20) }
}

/// A line in pieces that are short enough. They end at blanks where there are some.
pub(super) fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((end, _)) = rest.char_indices().nth(LONGEST) {
        let blank = rest[..end].rfind(' ').map(|blank| blank + 1).filter(|blank| *blank > end / 2);
        let (piece, more) = rest.split_at(blank.unwrap_or(end));
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
    fn pieces_are_short_and_all_of_it() {
        assert_eq!(pieces(""), [""]);
        assert_eq!(pieces("short"), ["short"]);
        for line in ["x".repeat(10_001), "小".repeat(LONGEST), "one two ".repeat(3_000)] {
            let pieces = pieces(&line);
            assert!(pieces.iter().all(|piece| piece.chars().count() <= LONGEST));
            assert_eq!(pieces.concat(), line);
        }
        assert!(
            pieces(&"one two ".repeat(3_000))
                .iter()
                .all(|piece| piece.ends_with(' ') || piece.is_empty())
        );
    }
}
