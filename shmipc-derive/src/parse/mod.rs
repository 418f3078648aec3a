//! From the user's tokens to the model that the rest of the crate works on.

pub(crate) mod ast;
mod attr;
mod generics;

use crate::errors::Errors;
use crate::runtime;
use crate::tokens;
use ast::{Field, Protocol, Reply, Shape, Variant};
use attr::{Keys, Place};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Data, DataEnum, DeriveInput, Fields};

/// The model of `input`. `None` where it is so far from a protocol that nothing can be generated.
pub(crate) fn protocol(input: &DeriveInput, errors: &mut Errors) -> Option<Protocol> {
    // Both first, so that all errors are told at once.
    let data = variants_of(&input.data, input, errors);
    let lifetime = generics::only_lifetime(&input.generics, errors);
    let keys = attr::parse(&input.attrs, Place::Enum, errors);
    let (data, lifetime) = (data?, lifetime?);
    let ident = &input.ident;
    let own_type = match &lifetime {
        Some(lifetime) => quote!(#ident<#lifetime>),
        None => quote!(#ident),
    };
    let variants = data.variants.iter().map(|variant| parse_variant(variant, &own_type, errors));
    Some(Protocol {
        vis: input.vis.clone(),
        ident: ident.clone(),
        variants: variants.collect(),
        serde: serde_list(&input.attrs),
        krate: keys.krate.map_or_else(runtime::path, ToTokens::into_token_stream),
        events: keys.events,
        names: keys.names,
        lifetime,
    })
}

/// The variants, where `data` is an enum that has some.
fn variants_of<'a>(
    data: &'a Data,
    input: &DeriveInput,
    errors: &mut Errors,
) -> Option<&'a DataEnum> {
    match data {
        Data::Enum(data) if data.variants.is_empty() => {
            let message = "a protocol needs at least one variant: each variant is one message";
            errors.at(&input.ident, message);
            None
        }
        Data::Enum(data) => Some(data),
        Data::Struct(data) => {
            errors.at(data.struct_token, not_an_enum("struct"));
            None
        }
        Data::Union(data) => {
            errors.at(data.union_token, not_an_enum("union"));
            None
        }
    }
}

fn not_an_enum(kind: &str) -> String {
    format!(
        "`ShmMessage` is derived for an enum, and this is a {kind}: a protocol has one variant \
         for each message, so write an enum and make these fields one of its variants"
    )
}

fn parse_variant(variant: &syn::Variant, own_type: &TokenStream, errors: &mut Errors) -> Variant {
    let Keys { reply, method, .. } = attr::parse(&variant.attrs, Place::Variant, errors);
    let shape = match variant.fields {
        Fields::Named(_) => Shape::Struct,
        Fields::Unnamed(_) => Shape::Tuple,
        Fields::Unit => Shape::Unit,
    };
    Variant {
        ident: variant.ident.clone(),
        carried: carried_over(&variant.attrs),
        serde: serde_list(&variant.attrs),
        reply: reply.map(|written| Reply {
            ty: tokens::replace_self(written.to_token_stream(), own_type),
            written,
        }),
        method_name: method,
        method: None,
        refused: false,
        shape,
        fields: parse_fields(&variant.fields, own_type, errors),
    }
}

fn parse_fields(fields: &Fields, own_type: &TokenStream, errors: &mut Errors) -> Vec<Field> {
    let single = fields.len() == 1;
    let mut parsed = Vec::with_capacity(fields.len());
    for (index, (field, member)) in fields.iter().zip(fields.members()).enumerate() {
        attr::parse(&field.attrs, Place::Field, errors);
        let parameter = match &field.ident {
            Some(name) => name.clone(),
            None if single => format_ident!("value"),
            None => format_ident!("arg{index}"),
        };
        parsed.push(Field {
            parameter,
            member,
            ty: tokens::replace_self(field.ty.to_token_stream(), own_type),
            written: field.ty.clone(),
            serde: serde_list(&field.attrs),
        });
    }
    parsed
}

/// What a generated method takes over from its variant. A `#[cfg]` needs no care: a derive sees the
/// enum after the compiler has applied them.
fn carried_over(attrs: &[Attribute]) -> Vec<Attribute> {
    let carried =
        |attr: &&Attribute| attr.path().is_ident("doc") || attr.path().is_ident("deprecated");
    attrs.iter().filter(carried).cloned().collect()
}

/// What stands in all `#[serde(...)]` of a node, as one list.
fn serde_list(attrs: &[Attribute]) -> TokenStream {
    let lists = attrs.iter().filter(|attr| attr.path().is_ident("serde"));
    let parts = lists
        .filter_map(|attr| attr.meta.require_list().ok())
        .flat_map(|list| tokens::comma_separated(list.tokens.clone()))
        .map(|(_, part)| part);
    quote!(#(#parts),*)
}
