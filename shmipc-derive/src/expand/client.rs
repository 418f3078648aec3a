//! `LibraryClient`: what somebody who sends the messages calls.
//!
//! The trait shows the methods with the fields' own names, and without bodies: a parameter of a
//! body is a pattern, and would be taken for a constant of that name in the user's scope. The
//! bodies stand in the blanket implementation, with names that nothing else has.

use super::{allowed_lints, client_ident, docs, link, local, parameters, renamed_parameters};
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
    let methods = protocol.variants.iter().map(|variant| declaration(protocol, variant));
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
    let methods = protocol.variants.iter().map(|variant| definition(protocol, variant));
    quote! {
        #[automatically_derived]
        #allowed
        impl<__ShmipcCaller> #name for __ShmipcCaller
        where
            __ShmipcCaller: #krate::Caller<#protocol_type> + ?::core::marker::Sized,
        {
            #(#methods)*
        }
    }
}

/// The method of one variant, as the trait shows it.
fn declaration(protocol: &Protocol, variant: &Variant) -> Option<TokenStream> {
    let method = variant.method.as_ref()?;
    let (fields, generics) = parameters(protocol, variant);
    let output = output(protocol, variant);
    let docs = docs(variant, &doc_lines(protocol, variant));
    Some(quote! {
        #docs
        fn #method #generics (&self, #fields) -> #output;
    })
}

/// The same, and what it does.
fn definition(protocol: &Protocol, variant: &Variant) -> Option<TokenStream> {
    let method = variant.method.as_ref()?;
    let Protocol { krate, ident, .. } = protocol;
    let (protocol_type, variant_ident) = (protocol.static_type(), &variant.ident);
    let (fields, generics) = renamed_parameters(protocol, variant);
    let output = output(protocol, variant);
    let members = variant.fields.iter().map(|field| &field.member);
    let values = (0..variant.fields.len()).map(|index| local(&format!("field{index}")));
    let message = quote!(&#ident::#variant_ident { #(#members: #values),* });
    let caller = quote!(<Self as #krate::Caller<#protocol_type>>);
    let call = match variant.reply.as_ref().map(|reply| &reply.ty) {
        Some(ty) => quote!(#caller::request::<#ty>(self, #message)),
        None => quote!(#caller::notify(self, #message)),
    };
    Some(quote! {
        fn #method #generics (&self, #fields) -> #output {
            #call
        }
    })
}

/// What the method gives.
fn output(protocol: &Protocol, variant: &Variant) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    match variant.reply.as_ref().map(|reply| &reply.ty) {
        Some(ty) => quote!(::core::result::Result<#ty, #krate::CallError>),
        None => quote!(::core::result::Result<(), #krate::SendError>),
    }
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
