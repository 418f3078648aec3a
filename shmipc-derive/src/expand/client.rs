//! `LibraryClient`: what somebody who sends the messages calls.

use super::{allowed_lints, client_ident, docs, link, parameters};
use crate::parse::ast::{Protocol, Variant};
use proc_macro2::TokenStream;
use quote::quote;

/// The client trait: one method for each variant.
pub(super) fn client_trait(protocol: &Protocol) -> TokenStream {
    let Protocol { vis, krate, .. } = protocol;
    let (allowed, name) = (allowed_lints(), client_ident(protocol));
    let protocol_type = protocol.static_type();
    let title = format!(
        "Sends the messages of {}: one method for each variant, on everything that carries them.",
        link(protocol, None)
    );
    let methods = protocol.variants.iter().map(|variant| message_method(protocol, variant));
    quote! {
        #[doc = #title]
        #allowed
        #vis trait #name: #krate::Caller<#protocol_type> {
            #(#methods)*
        }
    }
}

/// Gives the client trait to every caller.
pub(super) fn blanket_impl(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let (allowed, name) = (allowed_lints(), client_ident(protocol));
    let protocol_type = protocol.static_type();
    quote! {
        #[automatically_derived]
        #allowed
        impl<__C> #name for __C
        where
            __C: #krate::Caller<#protocol_type> + ?::core::marker::Sized,
        {
        }
    }
}

/// The method of one variant.
fn message_method(protocol: &Protocol, variant: &Variant) -> Option<TokenStream> {
    let method = variant.method.as_ref()?;
    let Protocol { krate, ident, .. } = protocol;
    let (protocol_type, variant_ident) = (protocol.static_type(), &variant.ident);
    let (fields, generics) = parameters(protocol, variant);
    let members = variant.fields.iter().map(|field| &field.member);
    let values = variant.fields.iter().map(|field| &field.parameter);
    let message = quote!(&#ident::#variant_ident { #(#members: #values),* });
    let caller = quote!(<Self as #krate::Caller<#protocol_type>>);
    let (output, error, call) = match &variant.reply {
        Some(reply) => {
            let ty = &reply.ty;
            (quote!(#ty), "CallError", quote!(#caller::request::<#ty>(self, #message)))
        }
        None => (quote!(()), "SendError", quote!(#caller::notify(self, #message))),
    };
    let docs = docs(variant, &doc_lines(protocol, variant));
    let error = quote::format_ident!("{error}");
    Some(quote! {
        #docs
        fn #method #generics (&self, #fields) -> ::core::result::Result<#output, #krate::#error> {
            #call
        }
    })
}

fn doc_lines(protocol: &Protocol, variant: &Variant) -> [String; 4] {
    let shown = link(protocol, Some(variant));
    let (what, error) = match variant.reply {
        Some(_) => (
            format!(" Sends {shown} and waits for the reply."),
            " `CallError` says what went wrong, and whether the request may have run.",
        ),
        None => (
            format!(" Sends {shown}; nobody waits for it."),
            " `SendError` says why the message was not sent.",
        ),
    };
    [what, String::new(), " # Errors".to_owned(), error.to_owned()]
}
