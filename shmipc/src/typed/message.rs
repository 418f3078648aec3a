//! [`ShmMessage`]: what the derive tells the runtime about an enum, and [`Caller`], the seam over
//! which generated client methods speak.
//!
//! # Borrowed enums
//! An enum may have one lifetime: `enum Picture<'a> { Frame { pixels: &'a [u8] } }`. The trait is
//! implemented for `Picture<'static>`, which stands for the whole family, and
//! [`ShmMessage::Borrowed`] names the member that a call really carries: what a handler gets
//! borrows from the listener's private receive buffer and lives as long as the handler's call. For
//! an enum without a lifetime, `Borrowed<'m>` is the enum itself.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::codec;
use crate::error::{CallError, DecodeError, SendError};
use crate::link::responder::{Responded, Responder};
use crate::segment::registry::{Protocol, Schema};

/// A protocol: an enum whose variants are the messages that one side may send to the other.
///
/// Implemented by `#[derive(ShmMessage)]`, never by hand: the derive keeps the parts in step.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shmipc protocol",
    label = "this type does not derive `ShmMessage`",
    note = "put `#[derive(serde::Serialize, serde::Deserialize, shmipc::ShmMessage)]` on the enum"
)]
pub trait ShmMessage: Sized + 'static {
    /// The enum as it travels: `Self`, or `Self` with the lifetime of the buffer that it borrows
    /// from.
    type Borrowed<'m>: Serialize + Deserialize<'m>;

    /// What the server may say to its clients: `#[shm(events = E)]`, else [`NoEvents`].
    type Events: ShmMessage;

    /// The replies of all variants as one enum, for code that handles messages whole
    /// ([`Server::serve_fn`](crate::Server::serve_fn), [`Client::call`](crate::Client::call)). A
    /// variant without a reply is a unit variant here.
    type Reply: Send + 'static;

    /// The enum's name.
    const NAME: &'static str;

    /// A hash over this enum alone: variants, fields, their types as written, replies, and serde
    /// attributes, in order. Docs, method names and the like do not count.
    const OWN_FINGERPRINT: u64;

    /// What server and client compare when they connect: this enum together with its events.
    const FINGERPRINT: u64 =
        mix_fingerprints(Self::OWN_FINGERPRINT, <Self::Events as ShmMessage>::OWN_FINGERPRINT);

    /// The variants in order of declaration.
    const VARIANTS: &'static [Variant];

    /// The message's index in [`VARIANTS`](Self::VARIANTS).
    fn variant_index(message: &Self::Borrowed<'_>) -> u32;

    /// Decodes the reply to variant `variant` (its index).
    #[doc(hidden)]
    fn decode_reply(variant: u32, bytes: &[u8]) -> Result<Self::Reply, DecodeError>;

    /// Sends `reply` as the answer to variant `variant`; a reply of another variant is reported to
    /// the caller as a fault of the handler.
    #[doc(hidden)]
    fn respond(reply: Self::Reply, variant: u32, responder: Responder<'_>) -> Responded;
}

/// One variant of a protocol enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variant {
    /// The variant's name as declared, without `r#`.
    pub name: &'static str,
    /// A hash over the variant's fields, their types as written, and its reply.
    pub fingerprint: u64,
    /// The reply's type as written, where the variant is a request.
    pub reply: Option<&'static str>,
}

impl Variant {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str, fingerprint: u64, reply: Option<&'static str>) -> Self {
        Self { name, fingerprint, reply }
    }
}

/// Anything that can carry messages of protocol `P` to somebody who handles them: a
/// [`Client`](crate::Client), a server's [`Peer`](crate::Peer), a [`Local`](crate::Local) handler
/// in the same thread, or a stand-in of your own.
///
/// The generated client trait (`LibraryClient` for an enum `Library`) is implemented for every
/// `Caller`, so code written against it can be tested without shared memory.
pub trait Caller<P: ShmMessage> {
    /// Sends a message that nobody waits for.
    ///
    /// # Errors
    /// [`SendError`] says why the message was not sent; the caller still has it.
    fn notify(&self, message: &P::Borrowed<'_>) -> Result<(), SendError>;

    /// Sends a request and waits for its reply, which the receiver encoded as an `R`.
    ///
    /// # Errors
    /// [`CallError`]; where the peer is gone or the deadline passed it says whether the request may
    /// have run.
    fn request<R: DeserializeOwned>(&self, message: &P::Borrowed<'_>) -> Result<R, CallError>;
}

impl<P: ShmMessage, C: Caller<P> + ?Sized> Caller<P> for &C {
    fn notify(&self, message: &P::Borrowed<'_>) -> Result<(), SendError> {
        (**self).notify(message)
    }

    fn request<R: DeserializeOwned>(&self, message: &P::Borrowed<'_>) -> Result<R, CallError> {
        (**self).request(message)
    }
}

/// The events of a protocol that declares none: no value of it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoEvents {}

impl ShmMessage for NoEvents {
    type Borrowed<'m> = NoEvents;
    type Events = NoEvents;
    type Reply = NoEvents;
    const NAME: &'static str = "NoEvents";
    const OWN_FINGERPRINT: u64 = 0;
    const VARIANTS: &'static [Variant] = &[];

    fn variant_index(message: &NoEvents) -> u32 {
        match *message {}
    }

    fn decode_reply(_variant: u32, _bytes: &[u8]) -> Result<NoEvents, DecodeError> {
        Err(DecodeError::message("this protocol has no events, so there is no reply to one"))
    }

    fn respond(reply: NoEvents, _variant: u32, _responder: Responder<'_>) -> Responded {
        match reply {}
    }
}

/// Decodes a reply of a known type.
pub fn decode_reply<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, DecodeError> {
    codec::decode(bytes)
}

/// The error for a variant index that the enum does not have.
#[must_use]
pub fn unknown_variant(variant: u32) -> DecodeError {
    DecodeError::message(format!("variant {variant}, which the enum does not have"))
}

/// The protocol as registries know it.
pub(crate) fn protocol<P: ShmMessage>() -> Protocol {
    Protocol { fingerprint: P::FINGERPRINT, schema: schema::<P> }
}

fn schema<P: ShmMessage>() -> Schema {
    let list = |variants: &[Variant]| {
        variants.iter().map(|variant| (variant.name.into(), variant.fingerprint)).collect()
    };
    Schema {
        protocol: P::NAME.into(),
        variants: list(P::VARIANTS),
        events: P::Events::NAME.into(),
        event_variants: list(<P::Events as ShmMessage>::VARIANTS),
    }
}

/// Two fingerprints as one; the order counts. The multiplier is the 64-bit golden ratio.
const fn mix_fingerprints(own: u64, events: u64) -> u64 {
    (own.rotate_left(23) ^ events).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ own
}
