//! The generics of a protocol enum: nothing, or exactly one plain lifetime.

use crate::errors::Errors;
use syn::{GenericParam, Generics, Lifetime};

/// The enum's lifetime, if it has one. The outer `None` says that the generics cannot be supported.
pub(crate) fn only_lifetime(generics: &Generics, errors: &mut Errors) -> Option<Option<Lifetime>> {
    let mut lifetime = None;
    let mut supported = true;
    for param in &generics.params {
        let refusal = match param {
            GenericParam::Lifetime(param) if !param.bounds.is_empty() => {
                errors.at(&param.bounds, "a protocol's lifetime cannot have bounds; remove them");
                true
            }
            GenericParam::Lifetime(param) if lifetime.is_none() => {
                lifetime = Some(param.lifetime.clone());
                false
            }
            other => {
                errors.at(other, refusal(other));
                true
            }
        };
        supported &= !refusal;
    }
    if let Some(clause) = &generics.where_clause {
        errors.at(clause, "a protocol enum cannot have a where clause; remove it");
        supported = false;
    }
    supported.then_some(lifetime)
}

fn refusal(param: &GenericParam) -> &'static str {
    match param {
        GenericParam::Lifetime(_) => {
            "a protocol enum can have one lifetime only, that of the buffer which a message is \
             decoded from; use the first one for every field"
        }
        GenericParam::Type(_) => {
            "a protocol enum cannot have type parameters: both sides must agree on every type, so \
             write the concrete type"
        }
        GenericParam::Const(_) => {
            "a protocol enum cannot have const parameters: both sides must agree on every type, so \
             write the concrete value"
        }
    }
}
