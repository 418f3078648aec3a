//! Fingerprints: what two programs compare to know that they were built from the same protocol.
//!
//! A fingerprint is FNV-1a over a canonical text, and so the same in every build with every
//! compiler. Changing anything here makes old and new programs refuse each other.

use crate::parse::ast::{Field, Protocol, Shape, Variant};
use crate::tokens::canonical;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Lifetime, Type};

/// Over the variants in their order and the enum's own serde attributes. Its name is compared by
/// itself and so does not count.
pub(crate) fn of_protocol(protocol: &Protocol) -> u64 {
    let mut text = Text::default();
    text.part("enum", &canonical(protocol.serde.clone(), protocol.lifetime.as_ref()));
    for variant in &protocol.variants {
        describe_variant(variant, protocol.lifetime.as_ref(), &mut text);
    }
    fnv1a(text.0.as_bytes())
}

/// Over one variant: its name, shape, fields, reply and serde attributes.
pub(crate) fn of_variant(variant: &Variant, lifetime: Option<&Lifetime>) -> u64 {
    let mut text = Text::default();
    describe_variant(variant, lifetime, &mut text);
    fnv1a(text.0.as_bytes())
}

fn describe_variant(variant: &Variant, lifetime: Option<&Lifetime>, text: &mut Text) {
    let shape = match variant.shape {
        Shape::Unit => "unit",
        Shape::Tuple => "tuple",
        Shape::Struct => "struct",
    };
    text.part(shape, &variant.ident.unraw().to_string());
    text.part("serde", &canonical(variant.serde.clone(), lifetime));
    for field in &variant.fields {
        describe_field(field, lifetime, text);
    }
    match &variant.reply {
        Some(reply) => text.part("reply", &spelling(&reply.written, lifetime)),
        None => text.part("notice", ""),
    }
}

fn describe_field(field: &Field, lifetime: Option<&Lifetime>, text: &mut Text) {
    let name = match &field.member {
        syn::Member::Named(name) => name.unraw().to_string(),
        syn::Member::Unnamed(index) => index.index.to_string(),
    };
    text.part("field", &name);
    text.part("type", &spelling(&field.written, lifetime));
    text.part("serde", &canonical(field.serde.clone(), lifetime));
}

fn spelling(ty: &Type, lifetime: Option<&Lifetime>) -> String {
    canonical(ty.to_token_stream(), lifetime)
}

/// The canonical text. Each part tells its length, so that no two protocols can read the same.
#[derive(Default)]
struct Text(String);

impl Text {
    fn part(&mut self, kind: &str, value: &str) {
        self.0.push_str(&format!("{kind} {} {value}\n", value.len()));
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Errors;

    fn fingerprint(source: &str) -> u64 {
        let mut errors = Errors::default();
        let input = syn::parse_str(source).expect("the test's source parses");
        let protocol = crate::parse::protocol(&input, &mut errors).expect("the test's enum is one");
        assert_eq!(errors.texts(), Vec::<String>::new());
        of_protocol(&protocol)
    }

    #[test]
    fn fnv1a_is_the_published_function() {
        assert_eq!(fnv1a(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn stays_the_same_from_release_to_release() {
        assert_eq!(fingerprint("enum E { A, #[shm(reply = u64)] B { x: u8 } }"), PINNED);
    }

    const PINNED: u64 = 1_346_455_937_187_648_947;

    #[test]
    fn formatting_docs_and_names_of_methods_do_not_count() {
        let plain = fingerprint("enum E<'a> { A { x: Vec<&'a str>, y: (u8, u8) }, B(u8) }");
        for same in [
            "pub enum Other<'a> { A { x : Vec < & 'a str >, y: (u8,u8,), }, B(u8,), }",
            "enum E<'b> { A { x: Vec<&'b str,>, y: (u8, u8) }, B(u8) }",
            "/// Docs.\nenum E<'a> { #[doc = \"x\"] A { /** y */ x: Vec<&'a str>, y: (u8, u8) }, \
             B(u8) }",
            "#[derive(Debug)] enum E<'a> { #[shm(method = \"c\")] A { x: Vec<&'a str>, y: (u8, \
             u8) }, #[deprecated] B(u8) }",
            "enum E<'a> { r#A { r#x: Vec<&'a str>, y: (u8, u8) }, B(u8) }",
        ] {
            assert_eq!(fingerprint(same), plain, "{same}");
        }
    }

    #[test]
    fn everything_on_the_wire_counts() {
        let sources = [
            "enum E { A { x: u8, y: u8 }, B }",
            "enum E { B, A { x: u8, y: u8 } }",
            "enum E { C { x: u8, y: u8 }, B }",
            "enum E { A { y: u8, x: u8 }, B }",
            "enum E { A { x: u8, z: u8 }, B }",
            "enum E { A { x: u8, y: u16 }, B }",
            "enum E { A(u8, u8), B }",
            "enum E { A { x: u8, y: u8 }, B() }",
            "enum E { A { x: u8, y: u8 }, B {} }",
            "enum E { A { x: u8, y: u8 } }",
            "enum E { #[shm(reply = u8)] A { x: u8, y: u8 }, B }",
            "enum E { #[shm(reply = u16)] A { x: u8, y: u8 }, B }",
            "enum E { #[shm(reply = ())] A { x: u8, y: u8 }, B }",
            "#[serde(rename_all = \"lowercase\")] enum E { A { x: u8, y: u8 }, B }",
            "enum E { #[serde(rename = \"b\")] A { x: u8, y: u8 }, B }",
            "enum E { A { #[serde(with = \"m\")] x: u8, y: u8 }, B }",
            "enum E { A { x: u8, #[serde(with = \"m\")] y: u8 }, B }",
            "enum E { A { x: (u8,), y: u8 }, B }",
            "enum E { A { x: &'static u8, y: u8 }, B }",
        ];
        let mut seen: Vec<u64> = sources.iter().map(|source| fingerprint(source)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), sources.len());
    }
}
