//! Method names.

use crate::errors::Errors;
use crate::name::{identifier, snake_case};
use crate::parse::ast::Variant;
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use std::collections::HashMap;
use syn::ext::IdentExt;

/// What every handler has.
const HANDLER_METHODS: [&str; 3] = ["peer_arrived", "peer_departed", "messages_missed"];

/// Names that a message's method cannot have, each group with what it would clash with. An inherent
/// method of a caller would be called instead of the generated one, and nothing would say so. The
/// tests hold the second group against the runtime crate's sources.
pub(crate) const RESERVED_METHODS: [(&str, &[&str]); 4] = [
    ("the handler's own method of that name", &HANDLER_METHODS),
    (
        "the method of that name on `Client`, `Peer` or another caller",
        &[
            "send",
            "call",
            "send_all",
            "try_send",
            "notify",
            "request",
            "connect",
            "builder",
            "with_deadline",
            "deadline",
            "close",
            "server_pid",
            "peer",
            "peers",
            "id",
            "pid",
            "pid_is_certain",
            "uid",
            "gid",
            "is_connected",
            "is_closed",
            "take_rejections",
            "handler",
            "into_handler",
            "link",
        ],
    ),
    (
        // Those of traits in the preludes, or often imported, that every type implements.
        "the method of that name that types have from the standard library",
        &[
            "clone",
            "clone_from",
            "to_owned",
            "clone_into",
            "into",
            "try_into",
            "from",
            "try_from",
            "borrow",
            "borrow_mut",
            "type_id",
        ],
    ),
    ("a constructor, which has that name by custom", &["new"]),
];

/// Gives each variant its method; one whose name cannot be used gets an error and none.
pub(crate) fn assign(variants: &mut [Variant], errors: &mut Errors) {
    let mut taken: HashMap<String, Ident> = HashMap::new();
    for variant in variants {
        let Some(method) = method_of(variant, errors) else {
            continue;
        };
        let bare = method.unraw().to_string();
        if let Some(clash) = clash_of(&bare) {
            errors.at(
                name_node(variant),
                format!("the method `{bare}` would clash with {clash}; {RENAME}"),
            );
            // Generated nevertheless, or the user's handler would bring more errors about the same;
            // but the handler has its own methods already.
            if !HANDLER_METHODS.contains(&bare.as_str()) {
                variant.method = Some(method);
                variant.refused = true;
            }
        } else if let Some(first) = taken.get(&bare) {
            errors.at(
                name_node(variant),
                format!("the method `{bare}` is already that of the variant `{first}`; {RENAME}"),
            );
        } else {
            taken.insert(bare, variant.ident.clone());
            variant.method = Some(method);
        }
    }
}

const RENAME: &str = "choose another with `#[shm(method = \"…\")]`";

/// The name that the variant asks for.
fn method_of(variant: &Variant, errors: &mut Errors) -> Option<Ident> {
    let span = variant.ident.span();
    let (method, wanted) = match &variant.method_name {
        Some(name) => (identifier(&name.value(), name.span()), name.value()),
        None => {
            let name = snake_case(&variant.ident.unraw().to_string());
            (identifier(&name, span), name)
        }
    };
    if method.is_none() {
        errors.at(name_node(variant), format!("`{wanted}` cannot name a method; {RENAME}"));
    }
    method
}

/// Where the name comes from.
fn name_node(variant: &Variant) -> TokenStream {
    match &variant.method_name {
        Some(name) => name.to_token_stream(),
        None => variant.ident.to_token_stream(),
    }
}

fn clash_of(method: &str) -> Option<&'static str> {
    RESERVED_METHODS.iter().find(|(_, names)| names.contains(&method)).map(|(clash, _)| *clash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use syn::visit::{self, Visit};

    /// What the runtime crate's sources say about callers and handlers.
    #[derive(Default)]
    struct Sources {
        /// Types that carry messages.
        callers: Vec<String>,
        /// Public methods, each with its type or trait.
        methods: Vec<(String, String)>,
    }

    impl Sources {
        fn read(&mut self, directory: &Path) {
            for entry in std::fs::read_dir(directory).expect("the runtime crate lies beside") {
                let path = entry.expect("its directory can be read").path();
                if path.is_dir() {
                    self.read(&path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("its files can be read");
                    self.visit_file(&syn::parse_file(&text).expect("its files parse"));
                }
            }
        }

        fn methods_of(&self, owner: &str) -> impl Iterator<Item = &str> {
            self.methods
                .iter()
                .filter(move |(of, _)| of == owner)
                .map(|(_, method)| method.as_str())
        }
    }

    /// `Peer` of `Peer<E>`.
    fn type_name(ty: &syn::Type) -> Option<String> {
        match ty {
            syn::Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
            _ => None,
        }
    }

    impl<'ast> Visit<'ast> for Sources {
        fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
            let Some(owner) = type_name(&item.self_ty) else { return };
            if let Some((of, _)) = &item.trait_ {
                if of.segments.last().is_some_and(|last| last.ident == "Caller") {
                    self.callers.push(owner);
                }
                return;
            }
            for part in &item.items {
                if let syn::ImplItem::Fn(function) = part {
                    if matches!(function.vis, syn::Visibility::Public(_)) {
                        self.methods.push((owner.clone(), function.sig.ident.unraw().to_string()));
                    }
                }
            }
        }

        fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
            for part in &item.items {
                if let syn::TraitItem::Fn(function) = part {
                    let name = function.sig.ident.unraw().to_string();
                    self.methods.push((item.ident.to_string(), name));
                }
            }
            visit::visit_item_trait(self, item);
        }
    }

    #[test]
    fn no_method_of_a_caller_or_a_handler_can_be_met() {
        let mut sources = Sources::default();
        sources.read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shmipc/src"));
        for caller in ["Client", "Peer", "Local"] {
            assert!(sources.callers.iter().any(|found| found == caller), "{caller} is not found");
        }
        assert!(sources.methods_of("Peer").any(|method| method == "with_deadline"));
        let of_callers = sources.callers.iter().flat_map(|caller| sources.methods_of(caller));
        let of_traits = sources.methods_of("Caller").chain(
            // This one calls the methods of messages, and is no handler's.
            sources.methods_of("Dispatch").filter(|method| *method != "dispatch"),
        );
        let mut missing: Vec<&str> =
            of_callers.chain(of_traits).filter(|method| clash_of(method).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        assert_eq!(missing, Vec::<&str>::new(), "add them to `RESERVED_METHODS`");
        let mut own: Vec<&str> =
            sources.methods_of("Dispatch").filter(|method| *method != "dispatch").collect();
        own.sort_unstable();
        let mut known = HANDLER_METHODS;
        known.sort_unstable();
        assert_eq!(own, known);
    }
}
