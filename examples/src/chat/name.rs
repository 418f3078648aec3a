//! Names: nobody can pass for somebody else, or for the program itself.

use crate::printable;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::skeleton;

use super::protocol::BadName;

/// Most characters in a name.
const LONGEST: usize = 32;

/// The name, if it is one.
///
/// # Errors
/// It is empty or too long, or has characters that names do not have: a colon or a star could make
/// its lines look like others'.
pub fn checked(name: &str) -> Result<String, BadName> {
    let name = name.trim();
    let is_mark = |c: char| c.general_category_group() == GeneralCategoryGroup::Mark;
    let fits = |c: char| c.is_alphanumeric() || is_mark(c) || " -_.'".contains(c);
    let right = name.starts_with(char::is_alphanumeric)
        && name.chars().count() <= LONGEST
        && name.chars().all(fits)
        && !name.contains("  ")
        && printable(name) == name;
    if right { Ok(name.into()) } else { Err(BadName { longest: LONGEST as u32 }) }
}

/// Could people take the one for the other? By what letters look like (Unicode's list of
/// confusables), and in small and capital letters alike.
pub(super) fn look_alike(one: &str, other: &str) -> bool {
    let look = |name: &str| {
        let small = skeleton(name).collect::<String>().to_lowercase();
        skeleton(&small).collect::<String>()
    };
    look(one) == look(other) || look(&one.to_lowercase()) == look(&other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_people_are_called() {
        for name in ["ann", "Ann-Marie O'Neil", "guest-4711", "Jürgen", "小明", "نور", "r2.d2"]
        {
            assert_eq!(checked(name).as_deref(), Ok(name));
        }
        assert_eq!(checked("  bob \n").as_deref(), Ok("bob"));
        let longest = "x".repeat(LONGEST);
        assert_eq!(checked(&longest), Ok(longest.clone()));
        for name in [
            "",
            "  ",
            "server: the server stops now",
            "* bob joined",
            "bob\u{200b}",
            "\u{202e}bob",
            "b\u{ad}ob",
            "bob\u{1b}[2J",
            "a\tb",
            "a  b",
            "-",
            "\u{3164}",
            "\u{301}a",
            &"x".repeat(LONGEST + 1),
        ] {
            assert!(checked(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_the_same() {
        for (one, other) in [
            ("bob", "bob"),
            ("bob", "Bob"),
            ("bob", "b\u{43e}b"),
            ("server", "SERVER"),
            ("paul", "pau1"),
        ] {
            assert!(look_alike(one, other), "{one} {other}");
        }
        assert!(!look_alike("ann", "anna"));
    }
}
