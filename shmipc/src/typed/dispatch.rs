//! Bytes to handler: [`Dispatch`], what the derive makes of a handler trait, and the two that call
//! one. A panic of the decoder or of the handler is told to the sender and goes no further.

use std::panic::resume_unwind;

use super::context::Context;
use super::message::ShmMessage;
use crate::codec;
use crate::error::{DecodeError, Departure};
use crate::link::Link;
use crate::link::control::Failure;
use crate::link::responder::{Responded, Responder};
use crate::panics::caught;

/// `H` handles this protocol: the bound of everything that takes a handler.
///
/// Implemented by the derive for every `H` that implements the enum's generated handler trait. So
/// `Library: Dispatch<H>` reads as `H: LibraryHandler`, in code that does not know which enum it
/// is; where it does, implement and name the handler trait. A handler that wraps another one
/// implements the trait as well, and passes on *every* method: `peer_arrived`, `peer_departed` and
/// `messages_missed` too, which otherwise do nothing. Not for use by hand: its methods may change
/// at any time.
#[diagnostic::on_unimplemented(
    message = "`{H}` is no handler of `{Self}`",
    label = "does not implement the handler trait that `#[derive(ShmMessage)]` made",
    note = "implement the handler trait for it, one method for each variant: `LibraryHandler`, if \
            the enum is `Library`"
)]
pub trait Dispatch<H>: ShmMessage {
    /// Calls the handler's method for this message and answers with what it returned.
    #[doc(hidden)]
    fn dispatch(
        handler: &mut H,
        cx: &Context<Self>,
        message: Self::Borrowed<'_>,
        responder: Responder<'_>,
    ) -> Responded;
    /// A peer was linked.
    #[doc(hidden)]
    fn peer_arrived(handler: &mut H, cx: &Context<Self>);
    /// A peer is gone.
    #[doc(hidden)]
    fn peer_departed(handler: &mut H, cx: &Context<Self>, departure: &Departure);
    /// This side missed messages that nobody waits for: dropped by the peer as they were not read
    /// in time, undecodable, or their handler panicked.
    #[doc(hidden)]
    fn messages_missed(handler: &mut H, cx: &Context<Self>, count: u64);
}

/// Who handles the messages of one endpoint: a handler, a closure, or nobody.
pub(crate) trait Service<P: ShmMessage>: Send {
    /// Decodes a message and handles it. Both in one function, so that a message is handled where
    /// it was decoded: moved from one to the other it costs more than it took to decode.
    ///
    /// # Errors
    /// The payload is no message; nobody saw it.
    fn handle(
        &mut self,
        cx: &Context<P>,
        payload: &[u8],
        responder: Responder<'_>,
    ) -> Result<Responded, DecodeError>;
    fn peer_arrived(&mut self, cx: &Context<P>);
    fn peer_departed(&mut self, cx: &Context<P>, departure: &Departure);
    fn messages_missed(&mut self, cx: &Context<P>, count: u64);
}

/// A handler with one method for each variant.
pub(crate) struct HandlerService<H>(pub(crate) H);

impl<P: Dispatch<H>, H: Send> Service<P> for HandlerService<H> {
    #[inline]
    fn handle(
        &mut self,
        cx: &Context<P>,
        payload: &[u8],
        responder: Responder<'_>,
    ) -> Result<Responded, DecodeError> {
        let message = codec::decode(payload)?;
        Ok(P::dispatch(&mut self.0, cx, message, responder))
    }

    fn peer_arrived(&mut self, cx: &Context<P>) {
        P::peer_arrived(&mut self.0, cx);
    }

    fn peer_departed(&mut self, cx: &Context<P>, departure: &Departure) {
        P::peer_departed(&mut self.0, cx, departure);
    }

    fn messages_missed(&mut self, cx: &Context<P>, count: u64) {
        P::messages_missed(&mut self.0, cx, count);
    }
}

/// A closure that takes messages whole and gives their replies.
pub(crate) struct FnService<F>(pub(crate) F);

impl<P, F> Service<P> for FnService<F>
where
    P: ShmMessage,
    F: for<'m> FnMut(&Context<P>, P::Borrowed<'m>) -> P::Reply + Send,
{
    #[inline]
    fn handle(
        &mut self,
        cx: &Context<P>,
        payload: &[u8],
        responder: Responder<'_>,
    ) -> Result<Responded, DecodeError> {
        let message: P::Borrowed<'_> = codec::decode(payload)?;
        let variant = P::variant_index(&message);
        let reply = (self.0)(cx, message);
        Ok(P::respond(reply, variant, responder))
    }

    fn peer_arrived(&mut self, _cx: &Context<P>) {}
    fn peer_departed(&mut self, _cx: &Context<P>, _departure: &Departure) {}
    fn messages_missed(&mut self, _cx: &Context<P>, _count: u64) {}
}

/// Runs one message through `service`. A panic, of the decoder or of the handler, is reported to
/// the sender and goes no further.
#[inline]
pub(crate) fn dispatch<P: ShmMessage>(
    service: &mut dyn Service<P>,
    cx: &Context<P>,
    link: &Link,
    call_id: u32,
    payload: &[u8],
) {
    let responder = match call_id {
        0 => Responder::nobody(link),
        call_id => Responder::link(link, call_id),
    };
    let mut failed = false;
    let ran = caught(|| {
        if let Err(error) = service.handle(cx, payload, responder) {
            // A notice's sender is told too: call id 0 is "nobody waits", not "nobody cares".
            link.fail(call_id, &Failure::Undecodable(error.to_string()));
            failed = true;
        }
    });
    leave_if_forked(link);
    if let Err(text) = ran {
        link.fail(call_id, &Failure::HandlerPanicked(text));
        failed = true;
    }
    if failed && call_id == 0 {
        // And so is who would have handled it.
        contain(link, || service.messages_missed(cx, 1));
    }
}

/// Runs one of the callbacks that answer nothing; a panic goes no further.
pub(crate) fn contain(link: &Link, callback: impl FnOnce()) {
    // The panic hook has printed it, and there is no sender to tell.
    drop(caught(callback));
    leave_if_forked(link);
}

/// A forked child that comes out of the user's code here is a copy of the listener's thread, alone.
/// Links, callbacks and locks are its parent's, and threads that stayed behind may hold them: it
/// leaves all that was begun as it is, up to the thread's end (the listeners' `run`).
#[inline]
fn leave_if_forked(link: &Link) {
    if link.is_inherited() {
        leave();
    }
}

/// The same for who knows it already.
#[cold]
pub(crate) fn leave() -> ! {
    resume_unwind(Box::new("a forked child leaves its parent's listener"))
}
