//! A deserializer around the codec's that refuses what the codec lets through: lists that claim
//! more elements than any honest payload holds (elements of no bytes cost the codec nothing, so a
//! `Vec<()>` of 2^40 would keep it busy for hours), and values nested so deep that decoding them
//! would overflow the stack. Text and bytes it asks of the codec as borrowed ones alone: only those
//! are looked for before there is memory for them.
//!
//! Every element of a list or map that takes bytes at all has at least one byte of its own in the
//! payload. So all claimed lengths together are at most the payload's length, plus
//! [`EMPTY_ELEMENTS`] for elements that take none.

use std::cell::Cell;
use std::fmt;

use super::stack::Stack;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Elements without bytes that one message may have.
pub(super) const EMPTY_ELEMENTS: usize = 1 << 16;
/// Levels of one message: enums, `Some`s, lists and maps, each inside the one before. A type that
/// contains itself passes through one of these; structs, tuples, boxes and newtypes do not count.
pub(super) const MAXIMUM_DEPTH: u32 = 256;

/// What is left of a message's allowance.
#[derive(Debug)]
pub(super) struct Budget {
    elements: Cell<usize>,
    depth: Cell<u32>,
    stack: Stack,
}

impl Budget {
    #[inline]
    pub(super) fn new(payload_length: usize) -> Self {
        Self {
            elements: Cell::new(payload_length.saturating_add(EMPTY_ELEMENTS)),
            depth: Cell::new(0),
            stack: Stack::new(),
        }
    }

    #[inline]
    fn charge<E: Error>(&self, claimed: Option<usize>) -> Result<(), E> {
        let claimed = claimed.unwrap_or(0);
        match self.elements.get().checked_sub(claimed) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => Err(E::custom(format_args!(
                "a list of {claimed} elements, more than the message can hold: each takes a byte \
                 at least, but for {EMPTY_ELEMENTS} in all that take none"
            ))),
        }
    }

    /// A level that counts.
    #[inline]
    fn nested<T, E: Error>(&self, inner: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let depth = self.depth.get();
        if Stack::asks_for::<T>(depth) {
            self.ask(depth == MAXIMUM_DEPTH, size_of::<T>())?;
        }
        self.depth.set(depth + 1);
        let value = inner();
        self.depth.set(depth);
        value
    }

    /// A level that does not: what it makes must fit on the stack all the same.
    #[inline]
    fn within<T, E: Error>(&self, inner: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if Stack::asks_for::<T>(self.depth.get()) {
            self.ask(false, size_of::<T>())?;
        }
        inner()
    }

    #[inline(never)]
    fn ask<E: Error>(&self, is_too_deep: bool, size: usize) -> Result<(), E> {
        if is_too_deep {
            return Err(too_deep());
        }
        if self.stack.lacks(size) {
            return Err(no_stack(self.depth.get(), self.stack.left()));
        }
        Ok(())
    }
}

#[cold]
fn too_deep<E: Error>() -> E {
    E::custom(TooDeep)
}

#[cold]
fn no_stack<E: Error>(levels: u32, left: usize) -> E {
    E::custom(NoStack { levels, left })
}

/// Says so of a message, to who encodes it and to who decodes it.
#[derive(Debug)]
pub(super) struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its values are nested deeper than {MAXIMUM_DEPTH} levels; make it flatter")
    }
}

/// The same of a stack that is too small.
#[derive(Debug)]
pub(super) struct NoStack {
    pub(super) levels: u32,
    pub(super) left: usize,
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its values do not fit on this thread's stack: at {} levels of nesting {} KiB are \
             left; give the thread a larger stack, or box what is large",
            self.levels,
            self.left >> 10
        )
    }
}

/// Anything of serde's with the budget beside it: a deserializer, a visitor, a seed, an access.
pub(super) struct Bounded<'b, T> {
    inner: T,
    budget: &'b Budget,
    /// Of a visitor: the length comes from the payload, not from the type.
    counted: bool,
}

impl<'b, T> Bounded<'b, T> {
    #[inline]
    pub(super) fn new(inner: T, budget: &'b Budget) -> Self {
        Self { inner, budget, counted: false }
    }

    #[inline]
    fn counted(inner: T, budget: &'b Budget) -> Self {
        Self { inner, budget, counted: true }
    }
}

/// Forwards with the visitor wrapped.
macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*)),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* Bounded::new(visitor, self.budget))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any(), deserialize_bool(),
        deserialize_i8(), deserialize_i16(), deserialize_i32(), deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(), deserialize_u16(), deserialize_u32(), deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(), deserialize_f64(), deserialize_char(),
        deserialize_bytes(),
        deserialize_option(), deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_tuple(length: usize),
        deserialize_tuple_struct(name: &'static str, length: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(), deserialize_ignored_any(),
    }

    /// As bytes, which the codec writes the same way: most text is ASCII, which is faster to tell
    /// than to check as UTF-8 character by character.
    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(Text(visitor))
    }

    /// As a borrowed string, of which the visitor makes its own: the codec would fill a new buffer
    /// with zeros before it reads into it. Whoever takes a `String` takes a `&str` (serde's
    /// contract).
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    /// As borrowed bytes, for the same reason.
    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_seq(Bounded::counted(visitor, self.budget))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Bounded::counted(visitor, self.budget))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Forwards plain values as they are.
macro_rules! pass {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    pass! {
        visit_bool(bool),
        visit_i8(i8), visit_i16(i16), visit_i32(i32), visit_i64(i64), visit_i128(i128),
        visit_u8(u8), visit_u16(u16), visit_u32(u32), visit_u64(u64), visit_u128(u128),
        visit_f32(f32), visit_f64(f64), visit_char(char),
        visit_str(&str), visit_borrowed_str(&'de str), visit_string(String),
        visit_bytes(&[u8]), visit_borrowed_bytes(&'de [u8]), visit_byte_buf(Vec<u8>),
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.budget.nested(|| self.inner.visit_some(Bounded::new(inner, self.budget)))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.budget.within(|| self.inner.visit_newtype_struct(Bounded::new(inner, self.budget)))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        if self.counted {
            self.budget.charge(elements.size_hint())?;
            self.budget.nested(|| self.inner.visit_seq(Bounded::new(elements, self.budget)))
        } else {
            self.budget.within(|| self.inner.visit_seq(Bounded::new(elements, self.budget)))
        }
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        if self.counted {
            self.budget.charge(entries.size_hint())?;
        }
        self.budget.nested(|| self.inner.visit_map(Bounded::new(entries, self.budget)))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.budget.nested(|| self.inner.visit_enum(Bounded::new(access, self.budget)))
    }
}

/// A visitor that is given text as bytes.
struct Text<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Text<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    #[inline]
    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<V::Value, E> {
        if bytes.is_ascii() {
            // SAFETY: ASCII is UTF-8, as was found just now; the bytes are private to this process.
            return self.0.visit_borrowed_str(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.visit_borrowed_str(text),
            Err(error) => Err(E::custom(format_args!("a text that is not UTF-8: {error}"))),
        }
    }

    #[inline]
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.visit_str(text),
            Err(error) => Err(E::custom(format_args!("a text that is not UTF-8: {error}"))),
        }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Bounded::new(deserializer, self.budget))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Bounded::new(seed, self.budget))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Bounded::new(seed, self.budget))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Bounded::new(seed, self.budget))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(Bounded::new(seed, self.budget))?;
        Ok((value, Bounded::new(variant, self.budget)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Bounded::new(seed, self.budget))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(length, Bounded::new(visitor, self.budget))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Bounded::new(visitor, self.budget))
    }
}
