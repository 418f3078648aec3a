//! What may borrow: fields, from the message's buffer. Replies and events may not.

use crate::errors::Errors;
use crate::parse::ast::{Field, Protocol, Reply};
use crate::tokens::{Borrow, borrows, mentions};
use quote::ToTokens;
use syn::Lifetime;

/// Checks every type that the user gave. `false` where the enum cannot be decoded at all.
pub(crate) fn check(protocol: &mut Protocol, errors: &mut Errors) -> bool {
    let own = protocol.lifetime.as_ref();
    let mut decodable = true;
    for variant in &mut protocol.variants {
        for field in &variant.fields {
            decodable &= check_field(field, own, errors);
        }
        if !variant.reply.as_ref().is_none_or(|reply| check_reply(reply, own, errors)) {
            // Its methods would only repeat the mistake.
            variant.reply = None;
            variant.method = None;
        }
    }
    if !protocol.events.as_ref().is_none_or(|events| check_events(events, own, errors)) {
        protocol.events = None;
    }
    decodable
}

/// A field may borrow with the enum's lifetime; `Cow<'static, str>` owns what it is decoded to.
fn check_field(field: &Field, own: Option<&Lifetime>, errors: &mut Errors) -> bool {
    for borrow in borrows(field.written.to_token_stream()) {
        match borrow {
            Borrow::Named(lifetime) if lifetime.ident == "static" || own == Some(&lifetime) => {}
            Borrow::StaticReference(lifetime) => {
                errors.at(
                    lifetime,
                    "a message is decoded from a buffer, which does not live for ever; give the \
                     enum a lifetime and borrow with it, or own the data",
                );
                return false;
            }
            // The compiler reports these by itself, where the enum is declared, unless they stand
            // in a function's type; then nothing else would say why there is no protocol.
            Borrow::Named(_) | Borrow::Elided(_) => {
                if is_in_function(&field.written) {
                    errors.at(
                        &field.written,
                        "a function is no message; own data (`String`, `Vec<u8>`, …) or borrow it \
                         with the enum's lifetime",
                    );
                }
                return false;
            }
        }
    }
    true
}

fn check_reply(reply: &Reply, own: Option<&Lifetime>, errors: &mut Errors) -> bool {
    const MESSAGE: &str = "a reply outlives the message, so it cannot borrow from it; own the \
                           data (`String`, `Vec<u8>`, …)";
    for borrow in borrows(reply.written.to_token_stream()) {
        match borrow {
            // `Cow<'static, str>` owns what it is decoded to.
            Borrow::Named(lifetime) if lifetime.ident == "static" => continue,
            Borrow::Named(lifetime) | Borrow::StaticReference(lifetime) => {
                errors.at(lifetime, MESSAGE);
            }
            Borrow::Elided(reference) => errors.at(reference, MESSAGE),
        }
        return false;
    }
    // `Self` of an enum with a lifetime borrows without showing it.
    let hidden = mentions(reply.ty.clone(), own);
    if hidden {
        errors.at(&reply.written, MESSAGE);
    }
    !hidden
}

fn check_events(events: &syn::Type, own: Option<&Lifetime>, errors: &mut Errors) -> bool {
    let own_named = borrows(events.to_token_stream()).into_iter().find_map(|borrow| match borrow {
        Borrow::Named(lifetime) if own == Some(&lifetime) => Some(lifetime),
        _ => None,
    });
    if let Some(lifetime) = &own_named {
        errors.at(lifetime, "events do not borrow from messages; write `'static` here");
    }
    own_named.is_none()
}

/// Is there a function among the type's parts?
fn is_in_function(ty: &impl ToTokens) -> bool {
    fn look(tokens: proc_macro2::TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(ident) => {
                ["fn", "Fn", "FnMut", "FnOnce"].iter().any(|function| ident == function)
            }
            proc_macro2::TokenTree::Group(group) => look(group.stream()),
            _ => false,
        })
    }
    look(ty.to_token_stream())
}
