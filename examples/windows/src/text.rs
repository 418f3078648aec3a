//! Others' text, as a window may show it.

use shmipc_examples::printable;

/// Longer names and sentences are cut: they stand in one place, and are drawn in each frame.
const LONGEST: usize = 300;

/// A text of others as a window may show it in one place: printable, and not too long.
#[must_use]
pub fn shown(text: &str) -> String {
    // A letter more than is shown, whatever letters they are.
    let mut shown = printable(&text[..text.floor_char_boundary((LONGEST + 1) * 4)]);
    if let Some((end, _)) = shown.char_indices().nth(LONGEST) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_what_is_not_stays() {
        assert_eq!(shown("a\u{202e}b"), "a\u{fffd}b");
        let long = "é".repeat(LONGEST);
        assert_eq!(shown(&long), long);
        for length in [LONGEST + 1, 1 << 20] {
            assert_eq!(shown(&"é".repeat(length)), format!("{long}…"));
        }
        // Four bytes each: what is cut off before is cut between letters.
        assert_eq!(shown(&format!("x{}", "😀".repeat(LONGEST))).chars().count(), LONGEST + 1);
    }
}
