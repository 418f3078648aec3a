//! From the model to code: one function for each item that is generated.
//!
//! Every path is absolute, so that nothing in the user's scope can change what the code means. Where
//! validation found a variant no method (an error was reported), its methods are left out.

mod client;
mod dispatch;
mod handler;
mod message;
mod reply;

use crate::parse::ast::{Field, Protocol, Variant};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

/// Everything that the derive generates.
pub(crate) fn expand(protocol: &Protocol) -> TokenStream {
    let handler = handler::handler_trait(protocol);
    let client = client::client_trait(protocol);
    let blanket = client::blanket_impl(protocol);
    let reply = reply::reply_enum(protocol);
    let message = message::message_impl(protocol);
    let dispatch = dispatch::dispatch_impl(protocol);
    quote!(#handler #client #blanket #reply #message #dispatch)
}

fn handler_ident(protocol: &Protocol) -> Ident {
    format_ident!("{}Handler", protocol.ident)
}

fn client_ident(protocol: &Protocol) -> Ident {
    format_ident!("{}Client", protocol.ident)
}

fn reply_ident(protocol: &Protocol) -> Ident {
    format_ident!("{}Reply", protocol.ident)
}

/// Generated items follow the user's names and types, not the user's style. No more than needed: a
/// crate that *forbids* a lint cannot have it allowed.
fn allowed_lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            missing_debug_implementations,
            non_camel_case_types,
            non_snake_case,
            unreachable_pub,
            clippy::all,
            clippy::pedantic
        )]
    }
}

/// The variants in order, each with its index.
fn indexed(protocol: &Protocol) -> impl Iterator<Item = (u32, &Variant)> {
    (0_u32..).zip(&protocol.variants)
}

/// `parameter: Type, …` for the fields of a method, and `<'a>` where a field mentions the lifetime.
fn parameters(protocol: &Protocol, variant: &Variant) -> (TokenStream, Option<TokenStream>) {
    let names = variant.fields.iter().map(|field| &field.parameter);
    let types = variant.fields.iter().map(|field| &field.ty);
    let list = quote!(#(#names: #types),*);
    let own = protocol.lifetime.as_ref();
    let borrows = |field: &Field| crate::tokens::mentions(field.ty.clone(), own);
    let generics = own.filter(|_| variant.fields.iter().any(borrows)).map(|own| quote!(<#own>));
    (list, generics)
}

/// The variant's own docs, then `lines`, as a method's docs.
fn docs(variant: &Variant, lines: &[String]) -> TokenStream {
    let carried = &variant.carried;
    let own_docs = carried.iter().any(|attr| attr.path().is_ident("doc"));
    let gap = own_docs.then(|| quote!(#[doc = ""]));
    quote!(#(#carried)* #gap #(#[doc = #lines])*)
}

/// How docs name the enum, or one of its variants.
fn link(protocol: &Protocol, variant: Option<&Variant>) -> String {
    let own = protocol.ident.unraw();
    match variant {
        Some(variant) => format!("[`{own}::{}`]", variant.ident.unraw()),
        None => format!("[`{own}`]"),
    }
}
