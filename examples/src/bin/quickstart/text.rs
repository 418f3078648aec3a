//! What counts as a word and what a hit shows: both sides must mean the same.

/// Characters of a line that a hit shows.
const EXCERPT: usize = 80;

/// The words of a line: runs of letters, digits and underscores.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// How the line begins. Lines can be long, and a search has many hits.
pub(crate) fn excerpt(line: &str) -> &str {
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => line.get(..end).unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_digits_and_underscores() {
        let found: Vec<_> = words("let snake_case = Größe+42;").collect();
        assert_eq!(found, ["let", "snake_case", "Größe", "42"]);
        assert_eq!(words(" \t--").count(), 0);
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"ß".repeat(100)), "ß".repeat(EXCERPT));
    }
}
