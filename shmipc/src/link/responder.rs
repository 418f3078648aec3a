//! Where a handler's answer goes, and that there is one.

use serde::Serialize;

use super::Link;
use super::control::Failure;
use super::outbound::WhenFull;
use crate::codec::{self, TooLargeOr};
use crate::error::{SendError, chain};
use crate::ring::Label;
use crate::ring::frame::Kind;

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
