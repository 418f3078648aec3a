//! Method names.

use crate::errors::Errors;
use crate::name::{identifier, snake_case};
use crate::parse::ast::Variant;
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use std::collections::HashMap;
use syn::ext::IdentExt;

/// Names that a message's method cannot have, each group with what it would clash with. An inherent
/// method of a caller would be called instead of the generated one, and nothing would say so.
pub(crate) const RESERVED_METHODS: [(&str, &[&str]); 4] = [
    (
        "the handler's own method of that name",
        &["peer_arrived", "peer_departed", "messages_missed"],
    ),
    (
        "the method of that name on `Client`, `Peer` or another caller",
        &[
            "send",
            "call",
            "send_all",
            "notify",
            "request",
            "connect",
            "builder",
            "with_deadline",
            "deadline",
            "close",
            "server_pid",
            "peer",
            "peers",
            "id",
            "pid",
            "uid",
            "is_connected",
            "is_closed",
            "take_rejections",
            "handler",
            "into_handler",
            "link",
        ],
    ),
    (
        "the method of that name that types have from the standard library",
        &["clone", "clone_from", "into", "from", "try_into", "borrow", "to_owned", "type_id"],
    ),
    ("a constructor, which has that name by custom", &["new"]),
];

/// Gives each variant its method; one whose name cannot be used gets an error and none.
pub(crate) fn assign(variants: &mut [Variant], errors: &mut Errors) {
    let mut taken: HashMap<String, Ident> = HashMap::new();
    for variant in variants {
        let Some(method) = method_of(variant, errors) else {
            continue;
        };
        let bare = method.unraw().to_string();
        if let Some(clash) = clash_of(&bare) {
            errors.at(
                name_node(variant),
                format!("the method `{bare}` would clash with {clash}; {RENAME}"),
            );
        } else if let Some(first) = taken.get(&bare) {
            errors.at(
                name_node(variant),
                format!("the method `{bare}` is already that of the variant `{first}`; {RENAME}"),
            );
        } else {
            taken.insert(bare, variant.ident.clone());
            variant.method = Some(method);
        }
    }
}

const RENAME: &str = "choose another with `#[shm(method = \"…\")]`";

/// The name that the variant asks for.
fn method_of(variant: &Variant, errors: &mut Errors) -> Option<Ident> {
    let span = variant.ident.span();
    let (method, wanted) = match &variant.method_name {
        Some(name) => (identifier(&name.value(), name.span()), name.value()),
        None => {
            let name = snake_case(&variant.ident.unraw().to_string());
            (identifier(&name, span), name)
        }
    };
    if method.is_none() {
        errors.at(name_node(variant), format!("`{wanted}` cannot name a method; {RENAME}"));
    }
    method
}

/// Where the name comes from.
fn name_node(variant: &Variant) -> TokenStream {
    match &variant.method_name {
        Some(name) => name.to_token_stream(),
        None => variant.ident.to_token_stream(),
    }
}

fn clash_of(method: &str) -> Option<&'static str> {
    RESERVED_METHODS.iter().find(|(_, names)| names.contains(&method)).map(|(clash, _)| *clash)
}
