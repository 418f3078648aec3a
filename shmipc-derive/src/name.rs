//! Names: from variants to methods, what an identifier may be, and how far apart two words are.

use proc_macro2::{Ident, Span};

/// Words that no `r#` can make an identifier.
const NEVER_RAW: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// `HTTPGet` as `http_get`: a word starts at a capital after a small letter or digit, and at the
/// last of several capitals where a small letter follows.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (i, &current) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after_word = before.is_some_and(|c| c.is_lowercase() || c.is_numeric());
        let ends_acronym = before.is_some_and(char::is_uppercase)
            && chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if current.is_uppercase() && (after_word || ends_acronym) {
            snake.push('_');
        }
        snake.extend(current.to_lowercase());
    }
    snake
}

/// The identifier that `name` stands for, raw where it is a keyword; `None` where there is none.
pub(crate) fn identifier(name: &str, span: Span) -> Option<Ident> {
    let bare = name.strip_prefix("r#").unwrap_or(name);
    if NEVER_RAW.contains(&bare) || !looks_like_identifier(bare) {
        return None;
    }
    // `gen` is a keyword since edition 2024 only, and the user's edition cannot be seen from here.
    let plain = if bare == "gen" { None } else { syn::parse_str::<Ident>(bare).ok() };
    let mut ident = match plain {
        Some(ident) => ident,
        None => syn::parse_str::<Ident>(&format!("r#{bare}")).ok()?,
    };
    ident.set_span(span);
    Some(ident)
}

/// A first sieve: the compiler reports some broken tokens by itself, so they must not reach it.
fn looks_like_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}

/// The candidate that a misspelt `word` probably meant.
pub(crate) fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let ranked = candidates.iter().map(|candidate| (distance(word, candidate), *candidate));
    ranked.filter(|(far, _)| *far <= 2).min_by_key(|(far, _)| *far).map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed or replaced to make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (b, pair)) in right.chars().zip(row.windows(2)).enumerate() {
            let [diagonal, above] = pair else { continue };
            let before = next.get(j).copied().unwrap_or_default();
            let replaced = diagonal + usize::from(a != b);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case_splits_words_and_acronyms() {
        for (variant, method) in [
            ("Note", "note"),
            ("CloseShelf", "close_shelf"),
            ("HTTPGet", "http_get"),
            ("GetHTTP", "get_http"),
            ("Rgb8", "rgb8"),
            ("GetX2Y", "get_x2_y"),
            ("Already_Snake", "already_snake"),
            ("plain", "plain"),
            ("A", "a"),
            ("AB", "ab"),
            ("Größe", "größe"),
            ("_Hidden", "_hidden"),
        ] {
            assert_eq!(snake_case(variant), method);
        }
    }

    #[test]
    fn identifiers_are_raw_only_where_needed() {
        let text = |name| identifier(name, Span::call_site()).map(|ident| ident.to_string());
        assert_eq!(text("note").as_deref(), Some("note"));
        assert_eq!(text("type").as_deref(), Some("r#type"));
        assert_eq!(text("r#type").as_deref(), Some("r#type"));
        assert_eq!(text("r#note").as_deref(), Some("note"));
        assert_eq!(text("gen").as_deref(), Some("r#gen"));
        for wrong in
            ["self", "Self", "super", "crate", "_", "r#self", "", "r#", "1st", "a b", "a\"", "a-b"]
        {
            assert_eq!(text(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("reply", "reply"), 0);
        assert_eq!(distance("repy", "reply"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn closest_stops_at_two_edits() {
        assert_eq!(closest("replay", &["reply", "method"]), Some("reply"));
        assert_eq!(closest("metod", &["reply", "method"]), Some("method"));
        assert_eq!(closest("answer", &["reply", "method"]), None);
    }
}
