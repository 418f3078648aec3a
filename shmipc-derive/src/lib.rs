//! The derive macro of shmipc. The crate `shmipc` re-exports it, and is what programs depend on.
//!
//! `parse` makes a model of the enum, `validate` checks it, `expand` turns it into code. Errors are
//! collected on the way, so that one build tells all of them.

mod errors;
mod expand;
mod fingerprint;
mod name;
mod parse;
mod runtime;
mod tokens;
mod validate;

use errors::Errors;
use proc_macro::TokenStream;

/// Makes an enum a protocol: each variant is one message that one process may send to another.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use shmipc::ShmMessage;
/// # #[derive(Debug, Serialize, Deserialize, ShmMessage)]
/// # pub enum LibraryEvent { Changed }
/// # #[derive(Debug, Serialize, Deserialize)]
/// # pub enum SearchError { EmptyPattern }
///
/// #[derive(Debug, Serialize, Deserialize, ShmMessage)]
/// #[shm(events = LibraryEvent)]
/// pub enum Library {
///     /// A notice: nobody waits for it.
///     Note { author: String, text: String },
///     /// A request: the sender waits for a `u64`.
///     #[shm(reply = u64)]
///     Count { word: String },
///     #[shm(reply = Result<Vec<String>, SearchError>)]
///     Search(String, u32),
///     #[shm(method = "close_shelf")]
///     Close,
/// }
/// ```
///
/// The enum must also derive serde's `Serialize` and `Deserialize`; so must everything in it.
///
/// # What is generated
/// All of it is as visible as the enum, and carries the variants' docs and `#[deprecated]`.
///
/// - `trait LibraryHandler`, for the side that receives. Implement it: one method for each variant,
///   so that a new variant is a compile error in every handler that does not know it yet.
/// - `trait LibraryClient`, for the side that sends. Bring it into scope, and everything that
///   carries the protocol (`Client<Library>`, or a stand-in of your own in a test) has one method
///   for each variant.
/// - `enum LibraryReply`, the replies of all variants, for code that handles messages whole.
/// - The implementation of `ShmMessage`, with the fingerprint by which two programs see that they
///   were built from the same protocol.
///
/// Where one of these names is taken ("the name `LibraryClient` is defined multiple times"), choose
/// another: `#[shm(client = LibraryCalls)]`, and the same with `handler` and `replies`.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{CallError, Client, Context, SendError, ShmMessage};
/// # #[derive(Debug, Serialize, Deserialize, ShmMessage)]
/// # pub enum Library {
/// #     Note { author: String, text: String },
/// #     #[shm(reply = u64)]
/// #     Count { word: String },
/// #     #[shm(reply = Result<Vec<String>, String>)]
/// #     Search(String, u32),
/// #     #[shm(method = "close_shelf")]
/// #     Close,
/// # }
/// # struct Shelf;
/// impl LibraryHandler for Shelf {
///     fn note(&mut self, cx: &Context<Library>, author: String, text: String) { /* … */ }
///     fn count(&mut self, cx: &Context<Library>, word: String) -> u64 {
///         /* … */
/// #       0
///     }
///     // The fields of a tuple have no names: they are `arg0`, `arg1`, …, a single one is `value`.
///     fn search(
///         &mut self,
///         cx: &Context<Library>,
///         arg0: String,
///         arg1: u32,
///     ) -> Result<Vec<String>, String> {
///         /* … */
/// #       Ok(vec![])
///     }
///     fn close_shelf(&mut self, cx: &Context<Library>) { /* … */ }
///     // These do nothing unless they are written:
///     fn peer_arrived(&mut self, cx: &Context<Library>) {}
///     fn peer_departed(&mut self, cx: &Context<Library>, departure: &shmipc::Departure) {}
///     fn messages_missed(&mut self, cx: &Context<Library>, count: u64) {}
/// }
///
/// # fn f(client: &Client<Library>) -> Result<(), Box<dyn std::error::Error>> {
/// client.note("Ada".into(), "hello".into())?;       // Result<(), SendError>
/// let count: u64 = client.count("word".into())?;    // Result<u64, CallError>
/// # Ok(())
/// # }
/// ```
///
/// # Attributes
/// | on | attribute | meaning |
/// |---|---|---|
/// | the enum | `#[shm(events = LibraryEvent)]` | what the server may say to its clients: another enum that derives `ShmMessage`; without it, nothing |
/// | the enum | `#[shm(handler = ServesLibrary)]` | the name of the handler trait, instead of `LibraryHandler` |
/// | the enum | `#[shm(client = LibraryCalls)]` | the name of the client trait, instead of `LibraryClient` |
/// | the enum | `#[shm(replies = Answers)]` | the name of the enum of replies, instead of `LibraryReply` |
/// | the enum | `#[shm(crate = my_facade::shmipc)]` | where the crate `shmipc` is, if it is no dependency of this crate ("could not find `shmipc`"). A dependency under another name (`package = "shmipc"`) is found by itself by the compiler, but not by rust-analyzer, which shows errors without this: `#[shm(crate = ::ipc)]` |
/// | a variant | `#[shm(reply = u64)]` | makes it a request: the sender waits for a value of this type. `reply = ()` waits until the message was handled |
/// | a variant | `#[shm(method = "close_shelf")]` | the name of its methods, instead of its own in snake case |
///
/// Several stand in one list: `#[shm(reply = u64, method = "count_words")]`. Some method names are
/// refused because they would clash with methods that clients or handlers have anyway, such as
/// `close` or `send`; the error names the clash.
///
/// # Borrowing instead of copying
/// The enum may have one lifetime. What a handler then gets borrows from the buffer that the
/// message was received in, for as long as the handler's method runs. Everywhere else the protocol
/// is called `Picture<'static>`.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Context, ShmMessage};
/// # struct Screen;
/// #[derive(Serialize, Deserialize, ShmMessage)]
/// pub enum Picture<'a> {
///     Frame { width: u32, pixels: &'a [u8] },
/// }
///
/// impl PictureHandler for Screen {
///     fn frame(&mut self, cx: &Context<Picture<'static>>, width: u32, pixels: &[u8]) { /* … */ }
/// }
/// ```
///
/// Borrowed bytes (`&[u8]`, `&str`) that are a variant's first field begin in memory at a multiple
/// of 16, whatever the message's size; so they do behind fields that take 16 bytes together, such
/// as two `u64`. Elsewhere they begin where the fields before them end: put them first if that
/// matters.
///
/// A reply outlives the message, so it cannot borrow from it.
///
/// Serde encodes a list of bytes one by one, here as anywhere. For large ones put
/// `#[serde(borrow, with = "serde_bytes")]` (crate `serde_bytes`) on the field, or
/// `#[serde(with = "serde_bytes")]` on a `Vec<u8>`: the bytes are the same, and copied at once.
///
/// # What must agree on both sides
/// The fingerprint covers, in order: each variant's name, its fields' names and types as written,
/// its reply, and all `#[serde(…)]`. Docs, formatting, `#[shm(method = …)]` and the name of the
/// lifetime may differ. Types count by how they are written: a changed struct inside a message does
/// not change the fingerprint, and its messages may decode to other values without an error. Give a
/// type that you change another name.
///
/// # What cannot be a protocol
/// Structs and unions; enums with type or const parameters, with bounds, or without variants; and
/// serde attributes that bincode cannot carry: `tag`, `content`, `untagged`, `other`, `flatten`,
/// `skip_serializing_if`, variants that are skipped, and fields that are skipped one way only.
#[proc_macro_derive(ShmMessage, attributes(shm))]
pub fn derive_shm_message(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    let mut errors = Errors::default();
    let protocol = parse::protocol(&input, &mut errors).and_then(|mut protocol| {
        let usable = validate::check(&mut protocol, &mut errors);
        usable.then_some(protocol)
    });
    // Generated with errors too: one mistake in one variant must not bring forty messages about
    // traits that do not exist.
    let generated = protocol.as_ref().map(expand::expand).unwrap_or_default();
    let mut output = errors.into_tokens();
    output.extend(generated);
    output.into()
}
