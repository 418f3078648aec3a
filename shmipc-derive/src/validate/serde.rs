//! Serde attributes that the codec cannot carry. bincode writes no names and no types: it must be
//! able to read each variant by its index and each field by its position.

use crate::errors::Errors;
use crate::parse::ast::Protocol;
use crate::tokens::comma_separated;
use proc_macro2::{Ident, TokenStream};

/// Checks the enum, its variants and their fields.
pub(crate) fn check(protocol: &Protocol, errors: &mut Errors) {
    refuse(&protocol.serde, enum_reason, errors);
    for variant in &protocol.variants {
        refuse(&variant.serde, variant_reason, errors);
        for field in &variant.fields {
            check_field(&field.serde, errors);
        }
    }
}

fn refuse(list: &TokenStream, reason: fn(&str) -> Option<&'static str>, errors: &mut Errors) {
    for (key, part) in comma_separated(list.clone()) {
        if let Some(reason) = reason(&key.to_string()) {
            report(&key, part, reason, errors);
        }
    }
}

fn report(key: &Ident, part: TokenStream, reason: &str, errors: &mut Errors) {
    errors.at(part, format!("messages cannot have `#[serde({key})]`: bincode needs {reason}"));
}

fn enum_reason(key: &str) -> Option<&'static str> {
    match key {
        "tag" | "content" | "untagged" => {
            Some("to read the variant by its index, and nothing else tells it; remove it")
        }
        _ => None,
    }
}

fn variant_reason(key: &str) -> Option<&'static str> {
    match key {
        "skip" | "skip_serializing" | "skip_deserializing" => {
            Some("every variant to keep its index; remove the variant, or the attribute")
        }
        "other" => Some("every index to belong to one variant; remove it"),
        "untagged" => Some("to read the variant by its index, and this has none; remove it"),
        _ => None,
    }
}

fn check_field(list: &TokenStream, errors: &mut Errors) {
    let parts = comma_separated(list.clone());
    let has = |name: &str| parts.iter().any(|(key, _)| key == name);
    // A field that is skipped both ways is simply not part of the message.
    let skipped = has("skip_serializing") && has("skip_deserializing");
    for (key, part) in &parts {
        let reason = match key.to_string().as_str() {
            "flatten" => "to know every field beforehand; nest the fields, or write them out",
            "skip_serializing_if" => "every field in every message; use an `Option`, or remove it",
            "skip_serializing" | "skip_deserializing" if !skipped => {
                "both sides to carry the same fields; use `#[serde(skip)]`, or remove it"
            }
            _ => continue,
        };
        report(key, part.clone(), reason, errors);
    }
}
