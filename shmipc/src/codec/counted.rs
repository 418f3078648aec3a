//! A serializer around the codec's that counts levels as decoding does
//! ([`bounded`](super::bounded)), so that the sender is told of a value that nobody could decode;
//! and that asks before each level whether the thread's stack has room for it.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::bounded::{MAXIMUM_DEPTH, NoStack, TooDeep};
use super::stack::Stack;

/// How deep a value is already.
#[derive(Debug)]
pub(super) struct Depth {
    levels: Cell<u32>,
    stack: Stack,
}

impl Depth {
    #[inline]
    pub(super) fn new() -> Self {
        Self { levels: Cell::new(0), stack: Stack::new() }
    }

    /// One level deeper; gives how many there were.
    #[inline]
    fn enter<E: Error>(&self) -> Result<u32, E> {
        let levels = self.check()?;
        self.levels.set(levels + 1);
        Ok(levels)
    }

    /// Is one more level allowed?
    #[inline]
    fn check<E: Error>(&self) -> Result<u32, E> {
        let levels = self.levels.get();
        // What stands on the stack while a value is encoded are references.
        if Stack::asks_for::<usize>(levels) {
            self.ask(levels)?;
        }
        Ok(levels)
    }

    #[inline(never)]
    fn ask<E: Error>(&self, levels: u32) -> Result<(), E> {
        if levels == MAXIMUM_DEPTH {
            return Err(E::custom(TooDeep));
        }
        if self.stack.lacks(size_of::<usize>()) {
            return Err(E::custom(NoStack { levels, left: self.stack.left() }));
        }
        Ok(())
    }

    #[inline]
    fn leave(&self) {
        self.levels.set(self.levels.get() - 1);
    }
}

/// Anything of serde's with the depth beside it: a serializer, or what takes the parts of a value.
pub(super) struct Counted<'d, S> {
    inner: S,
    depth: &'d Depth,
    /// Of what takes parts: its end is a level's end.
    is_level: bool,
}

impl<'d, S> Counted<'d, S> {
    #[inline]
    fn parts(inner: S, depth: &'d Depth, is_level: bool) -> Self {
        Self { inner, depth, is_level }
    }

    #[inline]
    fn over(self) -> S {
        if self.is_level {
            self.depth.leave();
        }
        self.inner
    }
}

/// A value whose parts are counted.
pub(super) struct Value<'v, 'd, T: ?Sized>(pub(super) &'v T, pub(super) &'d Depth);

impl<T: Serialize + ?Sized> Serialize for Value<'_, '_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Counted::parts(serializer, self.1, false))
    }
}

/// Forwards plain values as they are.
macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*)),* $(,)?) => {$(
        #[inline]
        fn $method(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        }
    )*};
}

/// Begins what takes parts, as a level or not.
macro_rules! begin {
    ($($method:ident($($name:ident: $type:ty),*) -> $parts:ident, $is_level:literal;)*) => {$(
        type $parts = Counted<'d, S::$parts>;
    )*
    $(
        #[inline]
        fn $method(self, $($name: $type),*) -> Result<Self::$parts, S::Error> {
            if $is_level {
                self.depth.enter()?;
            }
            Ok(Counted::parts(self.inner.$method($($name),*)?, self.depth, $is_level))
        }
    )*};
}

impl<'d, S: Serializer> Serializer for Counted<'d, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    pass! {
        serialize_bool(value: bool),
        serialize_i8(value: i8), serialize_i16(value: i16), serialize_i32(value: i32),
        serialize_i64(value: i64), serialize_i128(value: i128),
        serialize_u8(value: u8), serialize_u16(value: u16), serialize_u32(value: u32),
        serialize_u64(value: u64), serialize_u128(value: u128),
        serialize_f32(value: f32), serialize_f64(value: f64), serialize_char(value: char),
        serialize_str(value: &str), serialize_bytes(value: &[u8]),
        serialize_none(), serialize_unit(), serialize_unit_struct(name: &'static str),
    }

    begin! {
        serialize_seq(length: Option<usize>) -> SerializeSeq, true;
        serialize_map(length: Option<usize>) -> SerializeMap, true;
        serialize_tuple(length: usize) -> SerializeTuple, false;
        serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct, false;
        serialize_struct(name: &'static str, length: usize) -> SerializeStruct, false;
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, length: usize
        ) -> SerializeTupleVariant, true;
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, length: usize
        ) -> SerializeStructVariant, true;
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.depth.check()?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let levels = self.depth.enter()?;
        let written = self.inner.serialize_some(&Value(value, self.depth));
        self.depth.levels.set(levels);
        written
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Value(value, self.depth))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let levels = self.depth.enter()?;
        let value = Value(value, self.depth);
        let written = self.inner.serialize_newtype_variant(name, index, variant, &value);
        self.depth.levels.set(levels);
        written
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Takes parts without names.
macro_rules! elements {
    ($($parts:ident::$method:ident),* $(,)?) => {$(
        impl<S: $parts> $parts for Counted<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&Value(value, self.depth))
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.over().end()
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
);

/// Takes parts with names.
macro_rules! fields {
    ($($parts:ident),* $(,)?) => {$(
        impl<S: $parts> $parts for Counted<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                self.inner.serialize_field(key, &Value(value, self.depth))
            }

            #[inline]
            fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(key)
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.over().end()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl<S: SerializeMap> SerializeMap for Counted<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(&Value(key, self.depth))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Value(value, self.depth))
    }

    #[inline]
    fn end(self) -> Result<S::Ok, S::Error> {
        self.over().end()
    }
}
