//! The server: binds a name, takes clients on, and serves them on one listener thread.

mod builder;
mod doors;
mod listener;
#[cfg(all(test, loom))]
pub(crate) mod modelled;
mod refusal;
mod running;

pub use builder::{BackPressure, ServerBuilder};
pub use running::Running;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::error::{BindError, ServeError};
use crate::segment::registry::Registry;
use crate::typed::context::Context;
use crate::typed::dispatch::{Dispatch, FnService, HandlerService, Service};
use crate::typed::message::ShmMessage;
use crate::typed::server::{ServerHandle, Settings, Shared};
use builder::OnRefused;

/// A server that has its name and does not serve yet: [`serve`](Self::serve) makes it a [`Running`]
/// one, which can be joined and stopped. Clients that connect meanwhile wait.
///
/// ```no_run
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Context, Server, ShmMessage};
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
/// struct Adder;
/// impl CalcHandler for Adder {
///     fn add(&mut self, _cx: &Context<Calc>, a: u32, b: u32) -> u32 {
///         a + b
///     }
/// }
///
/// let running = Server::<Calc>::bind("calc")?.serve(Adder)?;
/// running.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a server that does not `serve` answers nobody"]
pub struct Server<P: ShmMessage> {
    registry: Registry,
    settings: Settings,
    on_refused: Option<OnRefused>,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> Server<P> {
    /// Takes the name with the default options. A dead server's name is taken over.
    ///
    /// # Errors
    /// [`BindError`]: the name cannot be one, a live server has it, another user has it, or shared
    /// memory is full.
    pub fn bind(name: &str) -> Result<Self, BindError> {
        Self::builder(name).bind()
    }

    /// Options for the server named `name`: 1 to 128 bytes without `/` and NUL.
    pub fn builder(name: &str) -> ServerBuilder<P> {
        ServerBuilder::new(name)
    }

    /// Starts the listener thread, which calls `handler` for every message.
    ///
    /// # Errors
    /// [`ServeError::Thread`]: the thread could not be started.
    pub fn serve<H>(self, handler: H) -> Result<Running<P>, ServeError>
    where
        P: Dispatch<H>,
        H: Send + 'static,
    {
        self.start(Box::new(HandlerService(handler)))
    }

    /// Starts the listener thread, which calls `handle` with every message whole. It gives the
    /// reply of the same variant; for a notice that is the variant without a value.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Server, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { Note(String), #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// let running = Server::<Calc>::bind("calc")?.serve_fn(|_cx, message| match message {
    ///     Calc::Note(text) => {
    ///         println!("{text}");
    ///         CalcReply::Note
    ///     }
    ///     Calc::Add { a, b } => CalcReply::Add(a + b),
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServeError::Thread`]: the thread could not be started.
    pub fn serve_fn<F>(self, handle: F) -> Result<Running<P>, ServeError>
    where
        F: for<'m> FnMut(&Context<P>, P::Borrowed<'m>) -> P::Reply + Send + 'static,
    {
        self.start(Box::new(FnService(handle)))
    }

    /// Only there to say what is missing: nothing that it asks for exists.
    #[doc(hidden)]
    pub fn join(self) -> Result<(), ServeError>
    where
        Self: Serves<P>,
    {
        self.running().join()
    }

    /// As [`join`](Self::join).
    #[doc(hidden)]
    pub fn stop(self) -> Result<(), ServeError>
    where
        Self: Serves<P>,
    {
        self.running().stop()
    }

    /// As [`join`](Self::join).
    #[doc(hidden)]
    #[must_use]
    pub fn handle(self) -> ServerHandle<P>
    where
        Self: Serves<P>,
    {
        self.running().handle()
    }

    fn start(self, service: Box<dyn Service<P>>) -> Result<Running<P>, ServeError> {
        if self.registry.is_inherited() {
            return Err(ServeError::Forked);
        }
        let shared = Arc::new(Shared::new(self.registry, self.settings));
        Running::start(shared, service, self.on_refused)
    }
}

/// What a [`Server`] is not yet. Nothing implements it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this server has its name and does not serve yet",
    label = "only a server that serves has this method",
    note = "call `serve(handler)` or `serve_fn(closure)` first, and this method on what that \
            gives: `server.serve(handler)?.join()?`"
)]
pub trait Serves<P: ShmMessage> {
    /// The server as it serves.
    fn running(self) -> Running<P>;
}

impl<P: ShmMessage> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("settings", &self.settings).finish_non_exhaustive()
    }
}
