//! The implementation of `Dispatch`: from a message to the handler's method and its answer.

use super::{allowed_lints, handler_ident, local};
use crate::parse::ast::{Protocol, Variant};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// Lets everything that implements the handler trait serve the protocol.
pub(super) fn dispatch_impl(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let (allowed, trait_name) = (allowed_lints(), handler_ident(protocol));
    let protocol_type = protocol.static_type();
    let dispatch = dispatch_fn(protocol);
    let (handler, cx) = (local("handler"), local("cx"));
    let (departure, count) = (local("departure"), local("count"));
    let parameters = quote!(#handler: &mut __ShmipcHandler, #cx: &#krate::Context<#protocol_type>);
    let as_handler = quote!(<__ShmipcHandler as #trait_name>);
    quote! {
        #[automatically_derived]
        #allowed
        impl<__ShmipcHandler: #trait_name> #krate::__private::Dispatch<__ShmipcHandler>
            for #protocol_type
        {
            #dispatch

            fn peer_arrived(#parameters) {
                #as_handler::peer_arrived(#handler, #cx);
            }

            fn peer_departed(#parameters, #departure: &#krate::Departure) {
                #as_handler::peer_departed(#handler, #cx, #departure);
            }

            fn messages_missed(#parameters, #count: ::core::primitive::u64) {
                #as_handler::messages_missed(#handler, #cx, #count);
            }
        }
    }
}

fn dispatch_fn(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let protocol_type = protocol.static_type();
    let message_type = protocol.with_lifetime(&quote!('_));
    let arms = protocol.variants.iter().map(|variant| arm(protocol, variant));
    let (handler, cx) = (local("handler"), local("cx"));
    let (message, responder) = (local("message"), local("responder"));
    quote! {
        #[inline]
        fn dispatch(
            #handler: &mut __ShmipcHandler,
            #cx: &#krate::Context<#protocol_type>,
            #message: #message_type,
            #responder: #krate::__private::Responder<'_>,
        ) -> #krate::__private::Responded {
            match #message {
                #(#arms)*
            }
        }
    }
}

/// Calls one variant's method.
fn arm(protocol: &Protocol, variant: &Variant) -> TokenStream {
    let (ident, name, trait_name) = (&protocol.ident, &variant.ident, handler_ident(protocol));
    let (handler, cx, responder) = (local("handler"), local("cx"), local("responder"));
    let Some(method) = &variant.method else {
        // An error was reported, so this never runs.
        return quote!(#ident::#name { .. } => #responder.acknowledge(),);
    };
    let members = variant.fields.iter().map(|field| &field.member);
    let bindings: Vec<Ident> =
        (0..variant.fields.len()).map(|index| local(&format!("field{index}"))).collect();
    let pattern = quote!(#ident::#name { #(#members: #bindings),* });
    let call = quote!(<__ShmipcHandler as #trait_name>::#method(#handler, #cx #(, #bindings)*));
    match variant.reply {
        Some(_) => quote!(#pattern => #responder.reply(&#call),),
        None => quote! {
            #pattern => {
                #call;
                #responder.acknowledge()
            }
        },
    }
}
