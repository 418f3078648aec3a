//! The implementation of `Dispatch`: from a message to the handler's method and its answer.

use super::{allowed_lints, handler_ident};
use crate::parse::ast::{Protocol, Variant};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

/// Lets everything that implements the handler trait serve the protocol.
pub(super) fn dispatch_impl(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let (allowed, handler) = (allowed_lints(), handler_ident(protocol));
    let protocol_type = protocol.static_type();
    let dispatch = dispatch_fn(protocol);
    let cx = quote!(cx: &#krate::Context<#protocol_type>);
    quote! {
        #[automatically_derived]
        #allowed
        impl<__H: #handler> #krate::__private::Dispatch<__H> for #protocol_type {
            #dispatch

            fn peer_arrived(handler: &mut __H, #cx) {
                <__H as #handler>::peer_arrived(handler, cx);
            }

            fn peer_departed(handler: &mut __H, #cx, departure: &#krate::Departure) {
                <__H as #handler>::peer_departed(handler, cx, departure);
            }

            fn messages_missed(handler: &mut __H, #cx, count: ::core::primitive::u64) {
                <__H as #handler>::messages_missed(handler, cx, count);
            }
        }
    }
}

fn dispatch_fn(protocol: &Protocol) -> TokenStream {
    let Protocol { krate, .. } = protocol;
    let protocol_type = protocol.static_type();
    let message_type = protocol.with_lifetime(&quote!('_));
    let arms = protocol.variants.iter().map(|variant| arm(protocol, variant));
    quote! {
        fn dispatch(
            handler: &mut __H,
            cx: &#krate::Context<#protocol_type>,
            message: #message_type,
            responder: #krate::__private::Responder<'_>,
        ) -> #krate::__private::Responded {
            match message {
                #(#arms)*
            }
        }
    }
}

/// Calls one variant's method.
fn arm(protocol: &Protocol, variant: &Variant) -> TokenStream {
    let (ident, name, handler) = (&protocol.ident, &variant.ident, handler_ident(protocol));
    let Some(method) = &variant.method else {
        // An error was reported, so this never runs.
        return quote!(#ident::#name { .. } => responder.acknowledge(),);
    };
    let members = variant.fields.iter().map(|field| &field.member);
    let bindings: Vec<Ident> = (0..variant.fields.len()).map(binding).collect();
    let pattern = quote!(#ident::#name { #(#members: #bindings),* });
    let call = quote!(<__H as #handler>::#method(handler, cx #(, #bindings)*));
    match variant.reply {
        Some(_) => quote!(#pattern => responder.reply(&#call),),
        None => quote! {
            #pattern => {
                #call;
                responder.acknowledge()
            }
        },
    }
}

/// A name that nothing of the user's can be mistaken for.
fn binding(index: usize) -> Ident {
    format_ident!("__field{index}", span = Span::mixed_site())
}
