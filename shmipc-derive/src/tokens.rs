//! Types as tokens: what they borrow, how they read, and one spelling for all their formattings.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use syn::Lifetime;

/// Something in a type that borrows.
pub(crate) enum Borrow {
    /// A lifetime by name, `'static` included.
    Named(Lifetime),
    /// A reference without a lifetime.
    Elided(TokenTree),
    /// A reference to something that lives for ever.
    StaticReference(Lifetime),
}

/// Everything in `tokens` that borrows, in order.
pub(crate) fn borrows(tokens: TokenStream) -> Vec<Borrow> {
    let mut found = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut reference = None;
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            (TokenTree::Punct(tick), Some(TokenTree::Ident(name))) if tick.as_char() == '\'' => {
                let lifetime = Lifetime { apostrophe: tick.span(), ident: name.clone() };
                let is_static = reference.take().is_some() && name == "static";
                found.push(if is_static {
                    Borrow::StaticReference(lifetime)
                } else {
                    Borrow::Named(lifetime)
                });
                continue;
            }
            (TokenTree::Group(group), _) => found.extend(borrows(group.stream())),
            _ => {}
        }
        found.extend(reference.take().map(Borrow::Elided));
        reference = Some(token).filter(|token| is_punct(token, '&'));
    }
    found
}

/// Whether `tokens` name `lifetime`.
pub(crate) fn mentions(tokens: TokenStream, lifetime: Option<&Lifetime>) -> bool {
    borrows(tokens)
        .iter()
        .any(|borrow| matches!(borrow, Borrow::Named(named) if lifetime == Some(named)))
}

/// `tokens` with every `Self` replaced, for places where `Self` is somebody else.
pub(crate) fn replace_self(tokens: TokenStream, replacement: &TokenStream) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => replacement.clone(),
        TokenTree::Group(group) => {
            let mut inner =
                Group::new(group.delimiter(), replace_self(group.stream(), replacement));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        other => other.into(),
    };
    tokens.into_iter().map(replace).collect()
}

/// The one spelling of `tokens`: single spaces, no trailing commas, `lifetime` without its name.
pub(crate) fn canonical(tokens: TokenStream, lifetime: Option<&Lifetime>) -> String {
    let mut words = Vec::new();
    collect_words(tokens, lifetime, Delimiter::None, &mut words);
    words.join(" ")
}

fn collect_words(
    tokens: TokenStream,
    lifetime: Option<&Lifetime>,
    around: Delimiter,
    words: &mut Vec<String>,
) {
    let mut tokens = flatten(tokens).into_iter().peekable();
    let (mut depth, mut commas, mut after_tick) = (0_i32, 0_usize, false);
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                words.push(open.to_owned());
                collect_words(group.stream(), lifetime, group.delimiter(), words);
                words.push(close.to_owned());
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                let ends_list = tokens.peek().is_none_or(|next| is_punct(next, '>'));
                // `(T,)` is a tuple and `(T)` is not: here the last comma means something.
                let makes_tuple = around == Delimiter::Parenthesis && depth == 0 && commas == 0;
                commas += usize::from(depth == 0);
                if !ends_list || makes_tuple {
                    words.push(",".to_owned());
                }
            }
            TokenTree::Ident(name) if after_tick && lifetime.is_some_and(|l| l.ident == *name) => {
                words.push("0".to_owned());
            }
            other => {
                depth += i32::from(is_punct(other, '<')) - i32::from(is_punct(other, '>'));
                words.push(other.to_string());
            }
        }
        after_tick = is_punct(&token, '\'');
    }
}

/// Opens the invisible groups that a `macro_rules!` fragment leaves.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let open = |token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => flatten(group.stream()),
        other => vec![other],
    };
    tokens.into_iter().flat_map(open).collect()
}

/// `tokens` as a person would write the type.
pub(crate) fn pretty(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut joins_word = false;
    for token in flatten(tokens) {
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                text.extend([open, &pretty(group.stream()), close]);
            }
            TokenTree::Punct(punct) => text.push_str(&spaced(punct.as_char(), punct.spacing())),
            word => {
                text.push_str(if joins_word { " " } else { "" });
                text.push_str(&word.to_string());
            }
        }
        joins_word =
            matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_)) || is_punct(&token, '>');
    }
    text.trim_end().to_owned()
}

fn spaced(punct: char, spacing: Spacing) -> String {
    match (punct, spacing) {
        (',' | ';', _) => format!("{punct} "),
        ('+' | '=', Spacing::Alone) => format!(" {punct} "),
        _ => punct.to_string(),
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

pub(crate) fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The parts of a list such as `rename = "x", default`, each with its key, without the commas.
pub(crate) fn comma_separated(tokens: TokenStream) -> Vec<(Ident, TokenStream)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let parts = tokens.split(|token| is_punct(token, ','));
    parts
        .filter_map(|part| match part.first() {
            Some(TokenTree::Ident(key)) => Some((key.clone(), part.iter().cloned().collect())),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn pretty_reads_as_written() {
        for (tokens, text) in [
            (quote!(Result<Vec<String>, SearchError>), "Result<Vec<String>, SearchError>"),
            (quote!(()), "()"),
            (quote!(std::borrow::Cow<'static, str>), "std::borrow::Cow<'static, str>"),
            (quote!([u8; 4]), "[u8; 4]"),
            (quote!(<Vec<u8> as IntoIterator>::Item), "<Vec<u8> as IntoIterator>::Item"),
            (quote!(Box<dyn Any + Send>), "Box<dyn Any + Send>"),
        ] {
            assert_eq!(pretty(tokens), text);
        }
    }

    #[test]
    fn canonical_ignores_trailing_commas_but_not_tuples() {
        let same = |left, right| canonical(left, None) == canonical(right, None);
        assert!(same(quote!(Result<A, B,>), quote!(Result<A, B>)));
        assert!(same(quote!((A, B,)), quote!((A, B))));
        assert!(!same(quote!((A,)), quote!((A))));
        assert!(!same(quote!((Map<A, B>,)), quote!((Map<A, B>))));
    }
}
