//! `#[shm(…)]`: which keys there are, where they belong, and what they take.

use crate::errors::Errors;
use crate::name::closest;
use crate::parse::ast::Names;
use crate::tokens::{is_punct, pretty};
use proc_macro2::{Ident, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, LitStr, Meta, Path, Result, Token, Type};

/// What an attribute stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Enum,
    Variant,
    Field,
}

/// The values given on one node.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) events: Option<Type>,
    pub(crate) krate: Option<Path>,
    pub(crate) names: Names,
    pub(crate) reply: Option<Type>,
    pub(crate) method: Option<LitStr>,
}

/// One key that exists.
struct Key {
    name: &'static str,
    place: Place,
    /// What its value is, and how to write it.
    usage: &'static str,
}

const KEYS: [Key; 7] = [
    Key {
        name: "events",
        place: Place::Enum,
        usage: "a type, without quotes: `#[shm(events = LibraryEvent)]`",
    },
    Key {
        name: "crate",
        place: Place::Enum,
        usage: "a path, without quotes: `#[shm(crate = path::to::shmipc)]`",
    },
    Key {
        name: "handler",
        place: Place::Enum,
        usage: "a name for the handler trait, without quotes: `#[shm(handler = ServesLibrary)]`",
    },
    Key {
        name: "client",
        place: Place::Enum,
        usage: "a name for the client trait, without quotes: `#[shm(client = LibraryCalls)]`",
    },
    Key {
        name: "replies",
        place: Place::Enum,
        usage: "a name for the enum of all replies, without quotes: `#[shm(replies = Answers)]`",
    },
    Key {
        name: "reply",
        place: Place::Variant,
        usage: "a type, without quotes: `#[shm(reply = u64)]`",
    },
    Key {
        name: "method",
        place: Place::Variant,
        usage: "a name in quotes: `#[shm(method = \"close_shelf\")]`",
    },
];

/// Reads all `#[shm(…)]` among `attrs`.
pub(crate) fn parse(attrs: &[Attribute], place: Place, errors: &mut Errors) -> Keys {
    let mut keys = Keys::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("shm")) {
        match &attr.meta {
            _ if place == Place::Field => errors.at(
                attr,
                "a field takes no `#[shm(…)]`; `reply` and `method` belong on the variant, the \
                 others on the enum",
            ),
            Meta::List(list) => {
                let parsed = list.parse_args_with(|input: ParseStream| {
                    parse_list(input, place, &mut keys, errors)
                });
                if let Err(error) = parsed {
                    errors.push(error);
                }
            }
            meta => errors.at(meta, format!("`#[shm]` needs a list: {}", takes(place))),
        }
    }
    keys
}

fn takes(place: Place) -> &'static str {
    match place {
        Place::Enum => {
            "an enum takes `#[shm(events = Type)]`, `#[shm(crate = path)]`, and `handler`, \
             `client` or `replies` with a name"
        }
        Place::Variant => "a variant takes `#[shm(reply = Type)]` and `#[shm(method = \"name\")]`",
        Place::Field => "a field takes none",
    }
}

/// Reads one attribute to its end; a key that is wrong does not hide those after it.
fn parse_list(
    input: ParseStream,
    place: Place,
    keys: &mut Keys,
    errors: &mut Errors,
) -> Result<()> {
    while !input.is_empty() {
        if let Err(error) = parse_entry(input, place, keys) {
            errors.push(error);
            skip_entry(input)?;
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn parse_entry(input: ParseStream, place: Place, keys: &mut Keys) -> Result<()> {
    let Ok(ident) = input.call(Ident::parse_any) else {
        return Err(Error::new(input.span(), format!("expected a key: {}", takes(place))));
    };
    let Some(key) = KEYS.iter().find(|key| ident == key.name) else {
        return Err(unknown(&ident, place));
    };
    if key.place != place {
        let (right, wrong) = match place {
            Place::Variant => ("the enum", "a variant"),
            _ => ("a variant", "the enum"),
        };
        return Err(Error::new(
            ident.span(),
            format!("`{}` belongs on {right}, not on {wrong}; move it there", key.name),
        ));
    }
    if !input.peek(Token![=]) || ends_at(input, 1) {
        return Err(Error::new(ident.span(), format!("`{}` needs {}", key.name, key.usage)));
    }
    input.parse::<Token![=]>()?;
    match key.name {
        "events" => set(&mut keys.events, key, &ident, value(input, key)?),
        "crate" => set(&mut keys.krate, key, &ident, value::<ModPath>(input, key)?.0),
        "handler" => set(&mut keys.names.handler, key, &ident, value(input, key)?),
        "client" => set(&mut keys.names.client, key, &ident, value(input, key)?),
        "replies" => set(&mut keys.names.replies, key, &ident, value(input, key)?),
        "reply" => set(&mut keys.reply, key, &ident, value(input, key)?),
        _ => set(&mut keys.method, key, &ident, value(input, key)?),
    }
}

/// Whether the entry is over after `skipped` more tokens.
fn ends_at(input: ParseStream, skipped: usize) -> bool {
    let ahead = input.fork();
    let passed = (0..skipped).all(|_| ahead.parse::<TokenTree>().is_ok());
    !passed || ahead.is_empty() || ahead.peek(Token![,])
}

/// A value, and nothing after it.
fn value<T: Parse>(input: ParseStream, key: &Key) -> Result<T> {
    let at = input.span();
    let wrong = |at| Error::new(at, format!("`{}` needs {}", key.name, key.usage));
    let value = input.parse::<T>().map_err(|_| wrong(at))?;
    if ends_at(input, 0) { Ok(value) } else { Err(wrong(input.span())) }
}

/// A path as `use` takes it: without generics.
struct ModPath(Path);

impl Parse for ModPath {
    fn parse(input: ParseStream) -> Result<Self> {
        Path::parse_mod_style(input).map(Self)
    }
}

/// Keeps `value`, unless there is one already.
fn set<T: ToTokens>(slot: &mut Option<T>, key: &Key, ident: &Ident, value: T) -> Result<()> {
    let Some(first) = slot else {
        *slot = Some(value);
        return Ok(());
    };
    let (first, second) = (pretty(first.to_token_stream()), pretty(value.to_token_stream()));
    let message = if first == second {
        format!("`{}` is given twice; remove one", key.name)
    } else {
        format!("`{}` is given twice, as `{first}` and as `{second}`; keep one", key.name)
    };
    Err(Error::new(ident.span(), message))
}

fn unknown(ident: &Ident, place: Place) -> Error {
    let names: Vec<&str> =
        KEYS.iter().filter(|key| key.place == place).map(|key| key.name).collect();
    let help = closest(&ident.to_string(), &names)
        .map_or_else(|| takes(place).to_owned(), |name| format!("did you mean `{name}`?"));
    Error::new(ident.span(), format!("unknown key `{ident}`; {help}"))
}

/// Goes on to the comma that ends this entry; those in `<…>` are part of it.
fn skip_entry(input: ParseStream) -> Result<()> {
    let mut depth = 0_i32;
    while !input.is_empty() && (depth > 0 || !input.peek(Token![,])) {
        let token: TokenTree = input.parse()?;
        depth += i32::from(is_punct(&token, '<')) - i32::from(is_punct(&token, '>'));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors in `attributes` on `place`.
    fn errors(place: Place, attributes: &str) -> Vec<String> {
        let source: syn::ItemStruct =
            syn::parse_str(&format!("{attributes} struct S;")).expect("the test's source parses");
        let mut errors = Errors::default();
        parse(&source.attrs, place, &mut errors);
        errors.texts()
    }

    #[test]
    fn right_attributes_have_no_errors() {
        for attributes in [
            "#[shm(reply = Result<Map<A, B>, E>, method = \"m\")]",
            "#[shm(reply = u64,)] #[shm(method = \"m\")]",
            "#[shm()]",
            "#[other = 1]",
        ] {
            assert!(errors(Place::Variant, attributes).is_empty(), "{attributes}");
        }
        assert!(errors(Place::Enum, "#[shm(events = a::E, crate = crate::x)]").is_empty());
    }

    #[test]
    fn each_mistake_has_its_message() {
        for (attributes, part) in [
            ("#[shm]", "needs a list"),
            ("#[shm = 1]", "needs a list"),
            ("#[shm(reply)]", "`reply` needs a type"),
            ("#[shm(reply = )]", "`reply` needs a type"),
            ("#[shm(reply = \"u64\")]", "`reply` needs a type, without quotes"),
            ("#[shm(reply(u64))]", "`reply` needs a type"),
            ("#[shm(method = close)]", "`method` needs a name in quotes"),
            ("#[shm(replay = Result<A, B>)]", "did you mean `reply`?"),
            ("#[shm(answer = A)]", "a variant takes"),
            ("#[shm(events = A)]", "`events` belongs on the enum"),
            ("#[shm(reply = A, reply = A)]", "given twice; remove one"),
            ("#[shm(reply = A)] #[shm(reply = B)]", "as `A` and as `B`"),
            ("#[shm(1)]", "expected a key"),
        ] {
            let found = errors(Place::Variant, attributes);
            assert_eq!(found.len(), 1, "{attributes}: {found:?}");
            assert!(found.iter().all(|text| text.contains(part)), "{attributes}: {found:?}");
        }
    }

    #[test]
    fn one_mistake_does_not_hide_the_next() {
        let attributes = "#[shm(replay = Result<A, B>, events = E, method = 1)] #[shm]";
        assert_eq!(errors(Place::Variant, attributes).len(), 4);
    }
}
