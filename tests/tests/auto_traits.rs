//! Which auto traits the public types have: a change is a decision, not an accident. All that is
//! generic is asked with a protocol that has none of them itself, because none of its values is
//! ever kept.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

#[derive(Serialize, Deserialize, ShmMessage)]
enum Unsendable {
    Note {
        local: PhantomData<(*const u8, *mut std::cell::UnsafeCell<u8>, std::marker::PhantomPinned)>,
    },
}

/// Does the type have the trait? An inherent constant comes before a trait's.
macro_rules! has {
    ($ty:ty, $auto:path) => {{
        struct Asked<T: ?Sized>(PhantomData<T>);
        #[allow(dead_code, reason = "not asked where there is an inherent one")]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T: ?Sized> Otherwise for Asked<T> {}
        #[allow(dead_code, reason = "not asked of types without the trait")]
        impl<T: ?Sized + $auto> Asked<T> {
            const ANSWER: bool = true;
        }
        <Asked<$ty>>::ANSWER
    }};
}

macro_rules! traits_of {
    ($($name:ident $(<$($parameter:ty),*>)?: $expected:literal,)*) => {
        vec![$({
            type Public = shmipc::$name $(<$($parameter),*>)?;
            let has = [
                ("Send", has!(Public, Send)),
                ("Sync", has!(Public, Sync)),
                ("Unpin", has!(Public, Unpin)),
                ("UnwindSafe", has!(Public, UnwindSafe)),
                ("RefUnwindSafe", has!(Public, RefUnwindSafe)),
            ];
            let kept = has.iter().filter(|(_, yes)| *yes);
            let names: Vec<&str> = kept.map(|(name, _)| *name).collect();
            (stringify!($name), names.join(" "), $expected)
        }),*]
    };
}

/// Everything.
const ALL: &str = "Send Sync Unpin UnwindSafe RefUnwindSafe";

fn pinned() -> Vec<(&'static str, String, &'static str)> {
    traits_of! {
        Admission: "all",
        BackPressure: "all",
        BindError: "Send Sync Unpin",
        Broadcast: "all",
        CallError: "all",
        Client<Unsendable>: "Send Sync Unpin",
        ClientBuilder<Unsendable>: "Send Unpin",
        ConfigError: "all",
        ConnectError: "Send Sync Unpin",
        Context<Unsendable>: "Send Sync Unpin",
        DecodeError: "all",
        Departure: "all",
        Difference: "all",
        Doorbell: "all",
        EncodeError: "all",
        Limit: "all",
        Local<Unsendable, ()>: "all",
        NameError: "all",
        NoEvents: "all",
        Outcome: "all",
        Peer<Unsendable>: "Send Sync Unpin",
        Refusal: "all",
        Refused: "all",
        Rejection: "all",
        Running<Unsendable>: "Send Sync Unpin",
        SendAllError: "all",
        SendError: "all",
        ServeError: "Send Sync Unpin",
        Server<Unsendable>: "Send Unpin",
        ServerBuilder<Unsendable>: "Send Unpin",
        ServerHandle<Unsendable>: "Send Sync Unpin",
        Variant: "all",
    }
}

#[test]
fn the_public_types_have_the_auto_traits_that_they_had() {
    let differ: Vec<_> = pinned()
        .into_iter()
        .map(|(name, has, expected)| (name, has, if expected == "all" { ALL } else { expected }))
        .filter(|(_, has, expected)| has != expected)
        .collect();
    assert!(differ.is_empty(), "name, has, had: {differ:#?}");
}

/// The table above has every type that the crate exports.
#[test]
fn no_public_type_is_left_out() {
    // What else is exported: traits and the derive.
    const OTHERS: [&str; 4] = ["Caller", "Dispatch", "ShmMessage", "error"];
    let source = include_str!("../../shmipc/src/lib.rs");
    let exports = source.split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let exported: BTreeSet<&str> = exports
        .flat_map(|path| path.split_once("::").unwrap().1.split([',', '{', '}']))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !OTHERS.contains(name))
        .collect();
    assert!(exported.contains("Peer"), "{exported:?}");
    let known: BTreeSet<&str> = pinned().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(exported, known);
}
