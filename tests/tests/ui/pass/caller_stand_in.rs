//! Code written against the client trait can be tested with a caller of one's own.
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shmipc::{CallError, Caller, SendError, ShmMessage};
use std::cell::RefCell;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note { author: String, text: String },
    #[shm(reply = u64)]
    Count(String),
}

/// Remembers what was sent.
#[derive(Default)]
struct Recorder(RefCell<Vec<Library>>);

impl Caller<Library> for Recorder {
    fn notify(&self, message: &Library) -> Result<(), SendError> {
        self.0.borrow_mut().push(message.clone());
        Ok(())
    }
    fn request<R: DeserializeOwned>(&self, message: &Library) -> Result<R, CallError> {
        self.notify(message).map_err(CallError::NotSent)?;
        let ten = serde::de::value::U64Deserializer::<serde::de::value::Error>::new(10);
        Ok(R::deserialize(ten).expect("the reply is a number"))
    }
}

fn under_test(library: &impl LibraryClient) -> Result<u64, CallError> {
    library.note("Ada".into(), "hello".into()).map_err(CallError::NotSent)?;
    library.count("word".into())
}

fn main() {
    let recorder = Recorder::default();
    assert_eq!(under_test(&recorder).expect("the stand-in answers"), 10);
    assert_eq!(
        recorder.0.into_inner(),
        [
            Library::Note { author: "Ada".into(), text: "hello".into() },
            Library::Count("word".into()),
        ]
    );
}
