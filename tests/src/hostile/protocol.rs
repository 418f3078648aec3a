//! A protocol rich enough to be lied about at every depth.

#![allow(missing_docs, reason = "the fields of the variants say it all")]

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a client may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ShmMessage)]
#[shm(events = RichEvent)]
pub enum Rich {
    /// One of a row that nobody waits for.
    Told { number: u64 },
    /// One of a row; gives how many `Told` came before, and whether everything was in order.
    #[shm(reply = (u64, bool))]
    Next { number: u64 },
    /// The bytes back.
    #[shm(reply = Vec<u8>)]
    Echo { bytes: Vec<u8> },
    /// The value back.
    #[shm(reply = Value)]
    Put { value: Value },
    /// So many bytes.
    #[shm(reply = Vec<u8>)]
    Fill { size: u64 },
    /// So many events of so many bytes, to the caller.
    #[shm(reply = ())]
    Events { count: u32, size: u32 },
    /// Has the server call the caller, from a thread that does nothing else.
    #[shm(reply = ())]
    CallMe,
}

/// What the server may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ShmMessage)]
pub enum RichEvent {
    Bytes {
        bytes: Vec<u8>,
    },
    #[shm(reply = u64)]
    Double {
        value: u64,
    },
}

/// Everything that a length can be claimed of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Nothing,
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    Deep(Option<Option<Box<Value>>>),
    Units(Vec<()>),
    UnitSet(BTreeSet<()>),
    UnitMap(BTreeMap<(), ()>),
    UnitLists(Vec<Vec<()>>),
    UnitArrays(Vec<[(); 32]>),
    Mixed { numbers: (i8, u128, f64), letter: char, array: [u16; 3], flag: Option<bool> },
}

impl Value {
    /// An honest value with something of everything, the same for the same number.
    #[must_use]
    pub fn sample(number: u64) -> Self {
        let text = Self::Text(format!("ä{number}"));
        let mixed = Self::Mixed {
            numbers: (number as i8, u128::from(number) << 64, 0.5),
            letter: 'ß',
            array: [1, 2, number as u16],
            flag: Some(number.is_multiple_of(2)),
        };
        let units = (number % 50) as usize;
        Self::List(vec![
            Self::Nothing,
            Self::Map([("k".to_owned(), text), ("m".to_owned(), mixed)].into()),
            Self::Deep(Some(Some(Box::new(Self::Units(vec![(); units]))))),
            Self::UnitSet([()].into()),
            Self::UnitMap([((), ())].into()),
            Self::UnitLists(vec![vec![()], vec![]]),
            Self::UnitArrays(vec![[(); 32]; 3]),
        ])
    }
}

impl Rich {
    /// Do these bytes decode?
    #[must_use]
    pub fn is_encoding(bytes: &[u8]) -> bool {
        shmipc::__private::decode_reply::<Self>(bytes).is_ok()
    }
}
