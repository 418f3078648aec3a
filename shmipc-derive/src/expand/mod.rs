//! From the model to code: one function for each item that is generated.
//!
//! Every path is absolute, so that nothing in the user's scope can change what the code means; and
//! every name that a body binds starts with `__shmipc`: a pattern that is a plain name means a
//! constant, a static or a unit struct where one of that name is in scope, whatever the span's
//! hygiene. Where validation found a variant no method (an error was reported), its methods are
//! left out.

mod client;
mod dispatch;
mod handler;
mod message;
mod reply;

use crate::parse::ast::{Field, Protocol, Variant};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
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
    generated_ident(protocol, protocol.names.handler.as_ref(), "Handler")
}

fn client_ident(protocol: &Protocol) -> Ident {
    generated_ident(protocol, protocol.names.client.as_ref(), "Client")
}

fn reply_ident(protocol: &Protocol) -> Ident {
    generated_ident(protocol, protocol.names.replies.as_ref(), "Reply")
}

/// What the user chose, or the enum's name with `suffix`. That one has the derive's own place, so
/// that a clash with something of the user's is shown as the derive's doing.
fn generated_ident(protocol: &Protocol, chosen: Option<&Ident>, suffix: &str) -> Ident {
    let default = || format_ident!("{}{suffix}", protocol.ident, span = Span::call_site());
    chosen.cloned().unwrap_or_else(default)
}

/// A name for a body's own use, which nothing of the user's has.
fn local(name: &str) -> Ident {
    format_ident!("__shmipc_{name}", span = Span::mixed_site())
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
    (parameter_list(variant, names), method_generics(protocol, variant))
}

/// The same for a method with a body, where the fields' names could mean something else.
fn renamed_parameters(
    protocol: &Protocol,
    variant: &Variant,
) -> (TokenStream, Option<TokenStream>) {
    let names = (0..variant.fields.len()).map(|index| local(&format!("field{index}")));
    (parameter_list(variant, names), method_generics(protocol, variant))
}

fn parameter_list(variant: &Variant, names: impl Iterator<Item: ToTokens>) -> TokenStream {
    let types = variant.fields.iter().map(|field| &field.ty);
    quote!(#(#names: #types),*)
}

fn method_generics(protocol: &Protocol, variant: &Variant) -> Option<TokenStream> {
    let own = protocol.lifetime.as_ref();
    let borrows = |field: &Field| crate::tokens::mentions(field.ty.clone(), own);
    own.filter(|_| variant.fields.iter().any(borrows)).map(|own| quote!(<#own>))
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
