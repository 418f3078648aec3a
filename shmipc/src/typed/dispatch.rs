//! Bytes to handler to reply: decodes a message, calls who handles it, and answers, whatever goes
//! wrong in between.

use std::panic::resume_unwind;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, DecodeError, TooLargeOr};
use crate::error::{Departure, SendError, chain};
use crate::link::Link;
use crate::link::control::Failure;
use crate::link::outbound::WhenFull;
use crate::panics::caught;
use crate::ring::Label;
use crate::ring::frame::Kind;
use crate::typed::context::Context;
use crate::typed::message::{Dispatch, ShmMessage};

/// Where a handler's answer goes. Used up by answering, so that there is one answer at most.
#[must_use = "a request that is not answered leaves its caller waiting for its deadline"]
pub struct Responder<'a>(To<'a>);

enum To<'a> {
    /// The message was a notice; its sender is told only if nobody handled it.
    Nobody(&'a Link),
    Link {
        link: &'a Link,
        call_id: u32,
    },
    /// [`crate::Local`].
    Slot(&'a mut Option<Result<Vec<u8>, Failure>>),
}

/// Proof that a responder was used.
#[derive(Debug)]
pub struct Responded(());

impl<'a> Responder<'a> {
    pub(crate) fn nobody(link: &'a Link) -> Self {
        Self(To::Nobody(link))
    }

    /// Does nobody wait for an answer?
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self.0, To::Nobody(_))
    }

    pub(crate) fn link(link: &'a Link, call_id: u32) -> Self {
        Self(To::Link { link, call_id })
    }

    pub(crate) fn slot(slot: &'a mut Option<Result<Vec<u8>, Failure>>) -> Self {
        Self(To::Slot(slot))
    }

    /// Answers with `reply`.
    #[inline]
    pub fn reply<R: Serialize + ?Sized>(self, reply: &R) -> Responded {
        match self.0 {
            To::Nobody(_) => Responded(()),
            _ => self.answer(reply),
        }
    }

    #[inline(never)]
    fn answer<R: Serialize + ?Sized>(self, reply: &R) -> Responded {
        match self.0 {
            To::Nobody(_) => {}
            // A forked child that comes out of a handler: its parent answers.
            To::Link { link, .. } if link.is_inherited() => {}
            To::Link { link, call_id } => {
                crate::step::reach("reply.before");
                let label = Label::new(Kind::Reply, call_id);
                let sent = link.replies().send_queueing(link, label, reply, WhenFull::Queue);
                // Any other error means that the link ended: nobody waits any more.
                if let Err(error @ (SendError::TooLarge { .. } | SendError::Encode(_))) = sent {
                    link.fail(call_id, &Failure::ReplyFailed(chain(&error)));
                }
            }
            To::Slot(slot) => {
                let mut bytes = Vec::new();
                *slot = Some(match codec::encode_to_vec(reply, &mut bytes, usize::MAX) {
                    Ok(()) => Ok(bytes),
                    Err(TooLargeOr::Value(error)) => {
                        Err(Failure::ReplyFailed(chain(&SendError::Encode(error))))
                    }
                    Err(TooLargeOr::TooLarge { length }) => {
                        let error = SendError::TooLarge { length, maximum: usize::MAX };
                        Err(Failure::ReplyFailed(chain(&error)))
                    }
                });
            }
        }
        crate::step::reach("reply.after");
        Responded(())
    }

    /// Answers that the message was handled, without a value.
    #[inline]
    pub fn acknowledge(self) -> Responded {
        self.reply(&())
    }

    /// Reports that the handler gave the reply of another variant, named `given`.
    pub fn wrong_reply(self, given: &'static str) -> Responded {
        self.fail(Failure::ReplyFailed(format!(
            "the handler answered with `{given}`, the reply of another variant"
        )))
    }

    /// Reports that nobody handles requests here.
    pub(crate) fn not_handled(self) -> Responded {
        if let To::Nobody(link) = self.0 {
            link.fail(0, &Failure::NotHandled);
        }
        self.fail(Failure::NotHandled)
    }

    pub(crate) fn fail(self, failure: Failure) -> Responded {
        match self.0 {
            To::Nobody(_) => {}
            To::Link { link, call_id } => link.fail(call_id, &failure),
            To::Slot(slot) => *slot = Some(Err(failure)),
        }
        Responded(())
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

/// Who handles the messages of one endpoint: a handler, a closure, or nobody.
pub(crate) trait Service<P: ShmMessage>: Send {
    /// Decodes a message and handles it. Both in one function, so that a message is handled where it
    /// was decoded: moved from one to the other it costs more than it took to decode.
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

/// Runs one message through `service`. A panic, of the decoder or of the handler, is reported to the
/// sender and goes no further.
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

/// A forked child that comes out of the user's code here is a copy of the listener's thread, alone. Links,
/// callbacks and locks are its parent's, and threads that stayed behind may hold them: it leaves all that
/// was begun as it is, up to the thread's end (the listeners' `run`).
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
