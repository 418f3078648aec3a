//! A server that serves.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::builder::OnRefused;
use super::listener::Listener;
use crate::error::ServeError;
use crate::os::thread::{Purpose, spawn};
use crate::typed::dispatch::Service;
use crate::typed::listening::End;
use crate::typed::message::ShmMessage;
use crate::typed::server::{ServerHandle, Shared};

/// How long stopping waits for a handler that is still running.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A server that serves. Dropping it stops it, as [`stop`](Self::stop) does.
///
/// The library installs no signal handlers: a program that is to stop in order on Ctrl-C or SIGTERM
/// catches them, before it binds, and stops the server through a handle. Without that its clients
/// see a crash.
///
/// ```no_run
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Context, Server, ShmMessage};
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
/// # struct Adder;
/// # impl CalcHandler for Adder {
/// #     fn add(&mut self, _cx: &Context<Calc>, a: u32, b: u32) -> u32 { a + b }
/// # }
/// use signal_hook::consts::{SIGINT, SIGTERM};
///
/// let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
/// let running = Server::<Calc>::bind("calc")?.serve(Adder)?;
/// let handle = running.handle();
/// std::thread::spawn(move || {
///     signals.forever().next();
///     handle.stop();
/// });
/// running.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it stops the server"]
pub struct Running<P: ShmMessage> {
    shared: Arc<Shared>,
    listener: Option<thread::JoinHandle<()>>,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> Running<P> {
    pub(super) fn start(
        shared: Arc<Shared>,
        service: Box<dyn Service<P>>,
        on_refused: Option<OnRefused>,
    ) -> Result<Self, ServeError> {
        let listener = Listener::new(shared.clone(), service).telling(on_refused);
        let hook = shared.settings.hook.clone();
        let listener = spawn(Purpose::Listener, hook, move || listener.run());
        let listener = listener.map_err(ServeError::Thread)?;
        Ok(Self { shared, listener: Some(listener), protocol: PhantomData })
    }

    /// A handle for other threads.
    #[must_use]
    pub fn handle(&self) -> ServerHandle<P> {
        ServerHandle::new(self.shared.clone())
    }

    /// Waits until the server is stopped through a [`ServerHandle`]. From inside one of its own
    /// handlers it returns at once.
    ///
    /// This has no deadline: after the stop it also waits for the handler that is running, for ever
    /// if that never returns. [`stop`](Self::stop) waits five seconds at most.
    ///
    /// # Errors
    /// [`ServeError::Panicked`]: the listener ended by a panic of its own.
    /// [`ServeError::NameLost`]: the name's file was removed, and another server took the name.
    /// [`ServeError::NameLeft`]: the name could not be given free.
    pub fn join(mut self) -> Result<(), ServeError> {
        self.check_own()?;
        if self.is_own_thread() {
            self.listener = None;
            return Ok(());
        }
        let ended = self.shared.listening.wait_ended(None);
        self.finish(ended)
    }

    /// Stops the server and waits for the handler that is running, 5 seconds at most. Clients learn
    /// that the server stopped; messages that it had not taken yet are not handled. The name is
    /// free.
    ///
    /// # Errors
    /// [`ServeError::StillRunning`]: a handler did not return in time; the listener is left to end
    /// with it. And those of [`join`](Self::join).
    pub fn stop(mut self) -> Result<(), ServeError> {
        self.stop_within(STOP_PATIENCE)
    }

    fn stop_within(&mut self, patience: Duration) -> Result<(), ServeError> {
        self.check_own()?;
        self.shared.stop();
        if self.is_own_thread() {
            self.listener = None;
            return Ok(());
        }
        let ended = self.shared.listening.wait_ended(Some(patience));
        if ended.is_none() {
            self.listener = None;
            return Err(ServeError::StillRunning { waited: patience });
        }
        self.finish(ended)
    }

    /// In a forked child there is no listener to wait for.
    fn check_own(&mut self) -> Result<(), ServeError> {
        if self.shared.is_inherited() {
            std::mem::forget(self.listener.take());
            return Err(ServeError::Forked);
        }
        Ok(())
    }

    /// From inside a handler there is nobody to wait for but oneself.
    fn is_own_thread(&self) -> bool {
        let own = self.listener.as_ref().map(|listener| listener.thread().id());
        own == Some(thread::current().id())
    }

    fn finish(&mut self, ended: Option<Result<(), End>>) -> Result<(), ServeError> {
        if let Some(listener) = self.listener.take() {
            // It told its end just before, so this takes no time; a panic was told too.
            drop(listener.join());
        }
        let name = || self.shared.registry.name().to_owned();
        match ended {
            Some(Err(End::Panicked(text))) => Err(ServeError::Panicked(text)),
            Some(Err(End::NameLost { pid })) => Err(ServeError::NameLost { name: name(), pid }),
            Some(Err(End::NameLeft { code })) => Err(ServeError::NameLeft {
                name: name(),
                uid: self.shared.registry.owner(),
                own_uid: crate::os::effective_uid(),
                source: io::Error::from_raw_os_error(code),
            }),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl<P: ShmMessage> Drop for Running<P> {
    fn drop(&mut self) {
        if self.listener.is_some() {
            // Nobody to tell: whoever wants to know calls `stop`.
            drop(self.stop_within(STOP_PATIENCE));
        }
    }
}

impl<P: ShmMessage> fmt::Debug for Running<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("server", &self.handle()).finish_non_exhaustive()
    }
}
