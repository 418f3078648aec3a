//! How a window's link stands, in words and colour.

use crate::text::shown;
use eframe::egui::{Color32, Response, RichText, Sense, Ui, Vec2};

/// How things stand. The text says it to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is wanted; what is not.
    Off(&'static str),
    /// What was wanted cannot be had.
    Failed(String),
    /// The other side is waited for.
    Waiting(String),
    /// It was there, and is gone; it is waited for.
    Lost(String),
    /// The link is up.
    Up(String),
}

impl Standing {
    /// The whole sentence.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Off(text) => text,
            Self::Failed(text) | Self::Waiting(text) | Self::Lost(text) | Self::Up(text) => text,
        }
    }

    /// The same with its text as a window may show it: it may have a peer's words in it.
    #[must_use]
    pub fn shown(self) -> Self {
        match self {
            Self::Off(text) => Self::Off(text),
            Self::Failed(text) => Self::Failed(shown(&text)),
            Self::Waiting(text) => Self::Waiting(shown(&text)),
            Self::Lost(text) => Self::Lost(shown(&text)),
            Self::Up(text) => Self::Up(shown(&text)),
        }
    }

    /// One word for a window's title.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Off(_) => "off",
            Self::Failed(_) => "failed",
            Self::Waiting(_) => "waiting",
            Self::Lost(_) => "gone",
            Self::Up(_) => "connected",
        }
    }

    /// Is the link up?
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    /// Is a link wanted, whether or not it is up?
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Lost(_) | Self::Up(_))
    }

    fn color(&self) -> Color32 {
        match self {
            Self::Off(_) => Color32::GRAY,
            Self::Failed(_) | Self::Lost(_) => Color32::from_rgb(220, 70, 60),
            Self::Waiting(_) => Color32::from_rgb(225, 160, 40),
            Self::Up(_) => Color32::from_rgb(70, 170, 80),
        }
    }

    /// A lamp and the sentence.
    pub fn show(&self, ui: &mut Ui) -> Response {
        let lamp = ui.allocate_exact_size(Vec2::splat(12.0), Sense::hover()).0;
        ui.painter().circle_filled(lamp.center(), 5.0, self.color());
        ui.label(RichText::new(self.text()).strong())
    }
}
