//! Small things that every command-line program needs.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Prints an error with all its causes and gives the exit code.
#[must_use]
pub fn finish(program: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A server name that no other run has: runs beside each other must not meet.
#[must_use]
pub fn unique_name(program: &str) -> String {
    // A clock before 1970 gives zero; the process id still tells the runs apart.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{program}-{}-{now:x}", std::process::id())
}

/// A peer's text as a terminal may show it: without the characters that could drive it, turn the
/// text around, or stand there without being seen. A tab becomes spaces.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            '\t' => shown.push_str("    "),
            // What joins or parts letters and pictures in many scripts, between such alone.
            '\u{200c}' | '\u{200d}' if joins(before) && rest.peek().is_some_and(|c| joins(*c)) => {
                shown.push(c);
            }
            _ if is_visible(c) => shown.push(c),
            _ => shown.push(char::REPLACEMENT_CHARACTER),
        }
        before = c;
    }
    shown
}

fn joins(c: char) -> bool {
    !c.is_ascii() && is_visible(c)
}

fn is_visible(c: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Unassigned,
    };
    // Letters and a mark that are blank.
    let is_blank = matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{ffa0}'
    );
    let category = c.general_category();
    let is_none = [Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Unassigned];
    !is_blank && !is_none.contains(&category)
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(
            printable("\u{202e}a\u{200b}b\u{feff}\u{2066}"),
            "\u{fffd}a\u{fffd}b\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("a\u{200d}b\u{2028}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn what_people_write_is_left_alone() {
        let written =
            "Jürgen: نمی\u{200c}خواهم, שלום, 小明, 👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} e\u{301}";
        assert_eq!(printable(written), written);
        assert_eq!(printable("a\tb"), "a    b");
    }
}
