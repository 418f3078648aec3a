//! `LibraryReply`: the replies of all variants as one enum, for code that handles messages whole.

use super::{allowed_lints, link, reply_ident};
use crate::parse::ast::{Protocol, Variant};
use proc_macro2::TokenStream;
use quote::quote;

/// The enum of replies.
pub(super) fn reply_enum(protocol: &Protocol) -> TokenStream {
    let Protocol { vis, .. } = protocol;
    let (allowed, name) = (allowed_lints(), reply_ident(protocol));
    let title =
        format!("The replies to {}: one variant for each of its own.", link(protocol, None));
    let variants = protocol.variants.iter().map(|variant| reply_variant(protocol, variant));
    quote! {
        #[doc = #title]
        #allowed
        #vis enum #name {
            #(#variants),*
        }
    }
}

fn reply_variant(protocol: &Protocol, variant: &Variant) -> TokenStream {
    let ident = &variant.ident;
    let shown = link(protocol, Some(variant));
    match &variant.reply {
        Some(reply) => {
            let (line, ty) = (format!("The reply to {shown}."), &reply.ty);
            quote!(#[doc = #line] #ident(#ty))
        }
        None => {
            let line = format!("{shown} is a notice and has no reply.");
            quote!(#[doc = #line] #ident)
        }
    }
}
