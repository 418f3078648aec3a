//! Letters that no font on this system shows.

use std::collections::{BTreeSet, HashSet};

use eframe::egui::{Context, FontId};
use unicode_script::{Script, UnicodeScript as _};

/// Letters looked for in one frame: for each that no font has, all fonts are looked through.
const AT_ONCE: usize = 200;

/// What was asked before, what is to be asked, and what is missing.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    seen: HashSet<char>,
    new: Vec<char>,
    missing: BTreeSet<&'static str>,
}

impl Letters {
    /// A text is about to be shown.
    pub(crate) fn come(&mut self, text: &str) {
        self.new.extend(text.chars().filter(|c| !c.is_ascii() && self.seen.insert(*c)));
    }

    /// Looks for the letters that came. The first letter of another script has the system's fonts
    /// looked through.
    pub(crate) fn look(&mut self, context: &Context, font: &FontId) {
        let count = self.new.len().min(AT_ONCE);
        for c in self.new.drain(..count) {
            if c != char::REPLACEMENT_CHARACTER && !has(context, font, c) {
                let script = c.script();
                let is_of_none = matches!(script, Script::Common | Script::Inherited);
                self.missing.insert(if is_of_none { "some symbols" } else { script.full_name() });
            }
        }
        if !self.new.is_empty() {
            context.request_repaint();
        }
    }

    /// A sentence for people, if something is missing.
    pub(crate) fn sentence(&self) -> Option<String> {
        if self.missing.is_empty() {
            return None;
        }
        let scripts: Vec<&str> = self.missing.iter().copied().collect();
        let scripts = scripts.join(", ").replace('_', " ");
        Some(format!(
            "No font on this system shows: {scripts}. Install one (Debian has fonts-noto-core and \
             fonts-noto-cjk) and start this window again."
        ))
    }
}

fn has(context: &Context, font: &FontId, c: char) -> bool {
    // What joins or marks others is drawn with them.
    is_joined(c) || context.fonts_mut(|fonts| fonts.has_glyph(font, c))
}

fn is_joined(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}
