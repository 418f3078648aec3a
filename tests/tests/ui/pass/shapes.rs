//! Every shape of variant, both kinds of message, and what the runtime is told about them.
use serde::{Deserialize, Serialize};
use shmipc::{Context, Departure, ShmMessage};

#[derive(Debug, Serialize, Deserialize)]
pub struct SearchError(String);

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Library {
    /// A notice: nobody waits.
    Note { author: String, text: String },
    #[shm(reply = u64)]
    Count { word: String },
    #[shm(reply = Result<Vec<String>, SearchError>)]
    Search(String, u32),
    Remove(u64),
    #[shm(method = "close_shelf")]
    Close,
    Nothing {},
    Empty(),
    #[shm(reply = ())]
    Flush,
}

struct Shelf(u64);

impl LibraryHandler for Shelf {
    fn note(&mut self, _cx: &Context<Library>, author: String, text: String) {
        self.0 += (author.len() + text.len()) as u64;
    }
    fn count(&mut self, _: &Context<Library>, word: String) -> u64 {
        word.len() as u64 + self.0
    }
    fn search(
        &mut self,
        _: &Context<Library>,
        arg0: String,
        arg1: u32,
    ) -> Result<Vec<String>, SearchError> {
        if arg1 == 0 { Err(SearchError(arg0)) } else { Ok(vec![arg0]) }
    }
    fn remove(&mut self, _: &Context<Library>, value: u64) {
        self.0 -= value;
    }
    fn close_shelf(&mut self, _: &Context<Library>) {}
    fn nothing(&mut self, _: &Context<Library>) {}
    fn empty(&mut self, _: &Context<Library>) {}
    fn flush(&mut self, _: &Context<Library>) {}
    fn peer_departed(&mut self, _: &Context<Library>, departure: &Departure) {
        drop(departure.to_string());
    }
}

fn serves<P: ShmMessage + shmipc::__private::Dispatch<H>, H>(_: &H) {}

fn main() {
    serves::<Library, _>(&Shelf(0));
    assert_eq!(Library::NAME, "Library");
    let names: Vec<&str> = Library::VARIANTS.iter().map(|variant| variant.name).collect();
    assert_eq!(
        names,
        ["Note", "Count", "Search", "Remove", "Close", "Nothing", "Empty", "Flush"]
    );
    let replies: Vec<Option<&str>> =
        Library::VARIANTS.iter().map(|variant| variant.reply).collect();
    assert_eq!(
        replies[..4],
        [None, Some("u64"), Some("Result<Vec<String>, SearchError>"), None]
    );
    assert_eq!(replies[7], Some("()"));
    assert_eq!(Library::variant_index(&Library::Close), 4);
    assert_eq!(Library::variant_index(&Library::Search(String::new(), 1)), 2);
    assert!(matches!(
        Library::decode_reply(1, &7_u64.to_le_bytes()),
        Ok(LibraryReply::Count(7))
    ));
    assert!(matches!(Library::decode_reply(0, &[]), Ok(LibraryReply::Note)));
    assert!(Library::decode_reply(99, &[]).is_err());
}
