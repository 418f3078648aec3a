//! The implementation of `ShmMessage`.

use super::{allowed_lints, indexed, local, reply_ident};
use crate::fingerprint;
use crate::parse::ast::{Protocol, Variant};
use crate::tokens::pretty;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

/// The enum as a protocol.
pub(super) fn message_impl(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, ident, .. } = protocol;
    let (allowed, reply) = (allowed_lints(), reply_ident(protocol));
    let protocol_type = protocol.static_type();
    let borrowed = protocol.with_lifetime(&quote!('__shmipc));
    let events = match &protocol.events {
        Some(events) => events.to_token_stream(),
        None => quote!(#krate::NoEvents),
    };
    let name = ident.unraw().to_string();
    let own_fingerprint = fingerprint::of_protocol(protocol);
    let variants = protocol.variants.iter().map(|variant| variant_const(protocol, variant));
    let functions = [variant_index(protocol), decode_reply(protocol), respond(protocol)];
    quote! {
        #[automatically_derived]
        #allowed
        impl #krate::ShmMessage for #protocol_type {
            type Borrowed<'__shmipc> = #borrowed;
            type Events = #events;
            type Reply = #reply;
            const NAME: &'static ::core::primitive::str = #name;
            const OWN_FINGERPRINT: ::core::primitive::u64 = #own_fingerprint;
            const VARIANTS: &'static [#krate::Variant] = &[#(#variants),*];
            #(#functions)*
        }
    }
}

/// What is told about one variant.
fn variant_const(protocol: &Protocol, variant: &Variant) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let name = variant.ident.unraw().to_string();
    let hash = fingerprint::of_variant(variant, protocol.lifetime.as_ref());
    let reply = match &variant.reply {
        Some(reply) => {
            let text = pretty(reply.written.to_token_stream());
            quote!(::core::option::Option::Some(#text))
        }
        None => quote!(::core::option::Option::None),
    };
    quote!(#krate::Variant::new(#name, #hash, #reply))
}

/// A message's index.
fn variant_index(protocol: &Protocol) -> TokenStream {
    let Protocol { ident, .. } = protocol;
    let message_type = protocol.with_lifetime(&quote!('_));
    let arms = indexed(protocol).map(|(index, variant)| {
        let variant = &variant.ident;
        quote!(#ident::#variant { .. } => #index)
    });
    let message = local("message");
    quote! {
        fn variant_index(#message: &#message_type) -> ::core::primitive::u32 {
            match #message {
                #(#arms),*
            }
        }
    }
}

/// Bytes to a reply.
fn decode_reply(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let reply = reply_ident(protocol);
    let (index_given, bytes) = (local("variant"), local("bytes"));
    let arms = indexed(protocol).map(|(index, variant)| {
        let name = &variant.ident;
        match variant.reply.as_ref().map(|reply| &reply.ty) {
            Some(ty) => quote! {
                #index => #krate::__private::decode_reply::<#ty>(#bytes).map(#reply::#name)
            },
            None => quote! {
                #index => #krate::__private::decode_reply::<()>(#bytes).map(|()| #reply::#name)
            },
        }
    });
    quote! {
        fn decode_reply(
            #index_given: ::core::primitive::u32,
            #bytes: &[::core::primitive::u8],
        ) -> ::core::result::Result<#reply, #krate::__private::DecodeError> {
            match #index_given {
                #(#arms,)*
                _ => ::core::result::Result::Err(#krate::__private::unknown_variant(#index_given)),
            }
        }
    }
}

/// A reply to bytes; one of another variant is reported instead.
fn respond(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let reply = reply_ident(protocol);
    let (given, index_given) = (local("reply"), local("variant"));
    let (responder, value) = (local("responder"), local("value"));
    let arms = indexed(protocol).map(|(index, variant)| {
        let (ident, name) = (&variant.ident, variant.ident.unraw().to_string());
        let right = match variant.reply {
            Some(_) => quote!((#reply::#ident(#value), #index) => #responder.reply(&#value)),
            None => quote!((#reply::#ident, #index) => #responder.acknowledge()),
        };
        quote!(#right, (#reply::#ident { .. }, _) => #responder.wrong_reply(#name))
    });
    quote! {
        fn respond(
            #given: #reply,
            #index_given: ::core::primitive::u32,
            #responder: #krate::__private::Responder<'_>,
        ) -> #krate::__private::Responded {
            match (#given, #index_given) {
                #(#arms),*
            }
        }
    }
}
