//! The model of a protocol enum. It keeps the user's own nodes, so that errors point at them.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Lifetime, LitStr, Member, Type, Visibility};

/// The enum.
pub(crate) struct Protocol {
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// The one lifetime that the enum may have.
    pub(crate) lifetime: Option<Lifetime>,
    /// Where the runtime crate is: `::shmipc`, or what `#[shm(crate = …)]` says.
    pub(crate) krate: TokenStream,
    pub(crate) events: Option<Type>,
    pub(crate) names: Names,
    /// What stands in the enum's `#[serde(…)]`.
    pub(crate) serde: TokenStream,
    pub(crate) variants: Vec<Variant>,
}

impl Protocol {
    /// The enum's type with `lifetime`, where it has one: `Picture<'static>`, else `Library`.
    pub(crate) fn with_lifetime(&self, lifetime: &TokenStream) -> TokenStream {
        let ident = &self.ident;
        match self.lifetime {
            Some(_) => quote!(#ident<#lifetime>),
            None => quote!(#ident),
        }
    }

    /// The type that stands for the whole protocol, and implements `ShmMessage`.
    pub(crate) fn static_type(&self) -> TokenStream {
        self.with_lifetime(&quote!('static))
    }
}

/// The names that the user chose for generated items.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) handler: Option<Ident>,
    pub(crate) client: Option<Ident>,
    pub(crate) replies: Option<Ident>,
}

/// One message.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    /// What its methods take over: docs and deprecation.
    pub(crate) carried: Vec<Attribute>,
    pub(crate) serde: TokenStream,
    pub(crate) reply: Option<Reply>,
    /// `#[shm(method = "…")]`.
    pub(crate) method_name: Option<LitStr>,
    /// Its method. Validation decides; `None` where there is no usable name.
    pub(crate) method: Option<Ident>,
    /// Its method's name was refused: it is generated so that nothing else is said about it.
    pub(crate) refused: bool,
    pub(crate) shape: Shape,
    pub(crate) fields: Vec<Field>,
}

/// What a request is answered with.
pub(crate) struct Reply {
    /// As the user wrote it.
    pub(crate) written: Type,
    /// The same for use outside the enum, where `Self` would be somebody else.
    pub(crate) ty: TokenStream,
}

/// How a variant is written. Each serialises in its own way.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Unit,
    Tuple,
    Struct,
}

/// One field of a message.
pub(crate) struct Field {
    /// How the enum names it: by name or by position.
    pub(crate) member: Member,
    /// How methods name it.
    pub(crate) parameter: Ident,
    /// As the user wrote it.
    pub(crate) written: Type,
    /// The same for use outside the enum, where `Self` would be somebody else.
    pub(crate) ty: TokenStream,
    pub(crate) serde: TokenStream,
}
