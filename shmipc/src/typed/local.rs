//! A handler called in the caller's own thread, for tests without shared memory.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::codec;
use crate::error::{CallError, SendError};
use crate::link::control::Failure;
use crate::link::nesting;
use crate::link::responder::Responder;
use crate::panics::caught;
use crate::typed::context::Context;
use crate::typed::dispatch::{Dispatch, HandlerService, Service};
use crate::typed::message::Caller;

/// An in-process stand-in for a client: calls go straight to a handler, through the same encoding
/// as over shared memory. For unit tests of handlers and of code that takes a
/// [`Caller`].
///
/// The handler's [`Context`] has no peers: what it sends to its caller is refused
/// with [`SendError::NotHandled`]. Calling it from inside
/// its own handler is [`SendError::InsideSerialize`].
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use shmipc::{Context, Local, ShmMessage};
///
/// #[derive(Serialize, Deserialize, ShmMessage)]
/// enum Calc {
///     #[shm(reply = u32)]
///     Add { a: u32, b: u32 },
/// }
///
/// struct Adder;
/// impl CalcHandler for Adder {
///     fn add(&mut self, _cx: &Context<Calc>, a: u32, b: u32) -> u32 {
///         a + b
///     }
/// }
///
/// let calc = Local::<Calc, _>::new(Adder);
/// assert_eq!(calc.add(2, 3)?, 5);
/// # Ok::<(), shmipc::CallError>(())
/// ```
pub struct Local<P, H> {
    handler: Mutex<HandlerService<H>>,
    protocol: PhantomData<fn(P)>,
}

impl<P: Dispatch<H>, H: Send> Local<P, H> {
    /// A caller of `handler`.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self { handler: Mutex::new(HandlerService(handler)), protocol: PhantomData }
    }

    /// The handler, to look at what the calls did to it.
    #[must_use]
    pub fn into_handler(self) -> H {
        self.handler.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }

    fn run(&self, message: &P::Borrowed<'_>) -> Result<Result<Vec<u8>, Failure>, SendError> {
        let own = nesting::address(self);
        if nesting::is_for(|whom| whom == own) {
            return Err(SendError::InsideSerialize);
        }
        // The handler, too, would wait for itself.
        let _encoding = nesting::Encoding::begin(own);
        let mut bytes = Vec::new();
        codec::encode_to_vec(message, &mut bytes, usize::MAX).map_err(|error| match error {
            codec::TooLargeOr::Value(error) => SendError::Encode(error),
            codec::TooLargeOr::TooLarge { length } => {
                SendError::TooLarge { length, maximum: usize::MAX }
            }
        })?;
        let mut handler = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = None;
        let ran = caught(|| {
            let (cx, responder) = (Context::<P>::detached(), Responder::slot(&mut answer));
            Service::<P>::handle(&mut *handler, &cx, &bytes, responder).map(drop)
        });
        Ok(match ran {
            Err(text) => Err(Failure::HandlerPanicked(text)),
            Ok(Err(error)) => Err(Failure::Undecodable(error.to_string())),
            Ok(Ok(())) => answer.unwrap_or(Err(Failure::NotHandled)),
        })
    }
}

impl<P: Dispatch<H>, H: Send> Caller<P> for Local<P, H> {
    fn notify(&self, message: &P::Borrowed<'_>) -> Result<(), SendError> {
        self.run(message).map(drop)
    }

    fn request<R: DeserializeOwned>(&self, message: &P::Borrowed<'_>) -> Result<R, CallError> {
        match self.run(message).map_err(CallError::from)? {
            Ok(bytes) => codec::decode(&bytes).map_err(CallError::UndecodableReply),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl<P, H> fmt::Debug for Local<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
