//! `LibraryHandler`: what somebody who receives the messages implements.

use super::{allowed_lints, docs, handler_ident, link, local, parameters, renamed_parameters};
use crate::parse::ast::{Protocol, Variant};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// The handler trait: one method for each variant, and what else can happen on a link.
pub(super) fn handler_trait(protocol: &Protocol) -> TokenStream {
    let Protocol { vis, .. } = protocol;
    let (allowed, name) = (allowed_lints(), handler_ident(protocol));
    let title =
        format!("Handles the messages of {}: one method for each variant.", link(protocol, None));
    let methods = protocol.variants.iter().map(|variant| message_method(protocol, variant));
    let defaults = default_methods(protocol);
    quote! {
        #[doc = #title]
        #allowed
        #vis trait #name {
            #(#methods)*
            #defaults
        }
    }
}

/// The method of one variant.
fn message_method(protocol: &Protocol, variant: &Variant) -> Option<TokenStream> {
    let method = variant.method.as_ref()?;
    let Protocol { krate, .. } = protocol;
    let protocol_type = protocol.static_type();
    // An error was reported: whether handlers have this method does not matter. A body's parameters
    // are patterns, see `client`.
    let (cx, (fields, generics), end) = if variant.refused {
        (local("cx"), renamed_parameters(protocol, variant), quote!({ loop {} }))
    } else {
        (context_parameter(variant), parameters(protocol, variant), quote!(;))
    };
    let shown = link(protocol, Some(variant));
    let (line, output) = match &variant.reply {
        Some(reply) => {
            let ty = &reply.ty;
            (format!(" Answers {shown}: what it returns is the reply."), Some(quote!(-> #ty)))
        }
        None => (format!(" Takes {shown}, a notice: nobody waits for it."), None),
    };
    let docs = docs(variant, &[line]);
    Some(quote! {
        #docs
        fn #method #generics (
            &mut self,
            #cx: &#krate::Context<#protocol_type>,
            #fields
        ) #output #end
    })
}

/// `cx`, or another name where a field has that one.
fn context_parameter(variant: &Variant) -> Ident {
    let free = |name: &String| variant.fields.iter().all(|field| field.parameter != name);
    let preferred = ["cx", "context", "__cx"].into_iter().map(str::to_owned);
    // There are finitely many fields, so this ends.
    let mut names = preferred.chain((0_u32..).map(|number| format!("__cx{number}")));
    names.find(free).map_or_else(|| format_ident!("cx"), |name| format_ident!("{name}"))
}

/// The methods that a handler may leave out.
fn default_methods(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let protocol_type = protocol.static_type();
    // These have bodies, and so parameters that a constant of the user's could be mistaken for.
    let cx = quote!(_cx: &#krate::Context<#protocol_type>);
    quote! {
        /// A peer was linked. Does nothing unless overridden.
        fn peer_arrived(&mut self, #cx) {}

        /// A peer is gone, and the departure says how. What it sent before its end was handled
        /// before. Does nothing unless overridden.
        fn peer_departed(&mut self, #cx, _departure: &#krate::Departure) {}

        /// This side missed so many messages that nobody waits for: the peer had to drop them
        /// because they were not read in time, or they could not be decoded, or their handler
        /// panicked. Does nothing unless overridden.
        fn messages_missed(&mut self, #cx, _count: ::core::primitive::u64) {}
    }
}
