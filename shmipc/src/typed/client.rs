//! The client: connects to a server by name, calls, sends, and handles events if it wants to.

use std::any::TypeId;
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::listening::Listening;
use crate::error::{CallError, ConnectError, Departure, Rejection, SendAllError, SendError};
use crate::link::Link;
use crate::link::control::{Failure, Goodbye};
use crate::link::outbound::WhenFull;
use crate::sync::Mutex;
use crate::typed::message::{Caller, ShmMessage, decode_reply};

/// How long the last client handle waits for an event handler that is still running.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a server that speaks `P`. Cheap to clone; any number of threads may use it at
/// once. The link is closed when the last clone is dropped, or by [`close`](Self::close).
///
/// The enum's generated client trait (`LibraryClient` for an enum `Library`) gives it a method for
/// each variant; [`send`](Self::send) and [`call`](Self::call) take the enum whole.
///
/// What one thread sends arrives in its order. Between replies and events there is no order: they
/// come through different lanes.
pub struct Client<P: ShmMessage> {
    shared: Arc<ClientShared>,
    deadline: Duration,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), deadline: self.deadline, protocol: PhantomData }
    }
}

/// What all clones of a client have in common. Dropping it closes the link.
pub(crate) struct ClientShared {
    link: Arc<Link>,
    protocol: TypeId,
    default_deadline: Duration,
    listener: Mutex<Option<thread::JoinHandle<()>>>,
    listening: Arc<Listening>,
}

impl<P: ShmMessage> Client<P> {
    /// `shared` is of this protocol.
    pub(crate) fn new(shared: Arc<ClientShared>) -> Self {
        Self { deadline: shared.default_deadline, shared, protocol: PhantomData }
    }

    /// `None`: it is of another protocol.
    pub(crate) fn of_shared(shared: Arc<ClientShared>) -> Option<Self> {
        (shared.protocol == TypeId::of::<P>()).then(|| Self::new(shared))
    }

    /// The same connection with another deadline for its sends and calls.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Client, ShmMessage};
    /// # use std::time::Duration;
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// let client = Client::<Calc>::connect("calc")?;
    /// let sum = client.with_deadline(Duration::from_millis(20)).add(1, 2)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Sends a message that nobody waits for. Waits for room in the lane, up to the deadline.
    ///
    /// Success means that the server's lane has the message whole and in order, not that it was
    /// handled; use [`call`](Self::call) where that matters. The reply of a request that is sent
    /// this way is dropped.
    ///
    /// The message is encoded once. While that lasts no other thread waits for it longer than its
    /// own deadline; still its `Serialize` should not wait for anything. It must not use this
    /// client, which is [`SendError::InsideSerialize`]; others it may.
    ///
    /// # Errors
    /// [`SendError`]; nothing of the message is delivered, and it is still the caller's.
    pub fn send(&self, message: &P::Borrowed<'_>) -> Result<(), SendError> {
        self.shared.link.notify(message, self.deadline, WhenFull::Refuse)
    }

    /// Sends messages that nobody waits for, one after the other, in this order. Whether the server
    /// sleeps is looked at once in 32 messages and at the end, which is what sending costs most,
    /// next to the encoding. So give it what is ready: an iterator that pauses may keep the
    /// messages that it gave just before from a server that sleeps.
    ///
    /// The deadline is each message's own. Other threads may send in between.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Client, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Log { Line { text: String } }
    /// # let client = Client::<Log>::connect("log")?;
    /// # let lines = ["a", "b"];
    /// let sent = client.send_all(lines.iter().map(|line| Log::Line { text: (*line).into() }))?;
    /// assert_eq!(sent, lines.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SendAllError`]: why a message was not sent, and how many were before it.
    pub fn send_all<'m, M>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<usize, SendAllError>
    where
        M: Borrow<P::Borrowed<'m>>,
    {
        match self.shared.link.notify_all::<P::Borrowed<'m>>(messages, self.deadline) {
            (sent, Ok(())) => Ok(sent),
            (sent, Err(error)) => Err(SendAllError { sent, error }),
        }
    }

    /// Sends a message and waits until it was handled; gives its variant's reply.
    ///
    /// # Errors
    /// [`CallError`]; see [`CallError::outcome`] for whether it ran.
    pub fn call(&self, message: &P::Borrowed<'_>) -> Result<P::Reply, CallError> {
        let variant = P::variant_index(message);
        let read = |bytes: &[u8]| P::decode_reply(variant, bytes);
        self.shared.link.call(message, self.deadline, read)
    }

    /// The server's process id, as it gave it.
    #[must_use]
    pub fn server_pid(&self) -> u32 {
        self.shared.link.peer().pid
    }

    /// This client's number at the server: what [`Peer::id`](crate::Peer::id) is there.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.link.peer().id
    }

    /// Is the link up, as far as this side knows without asking the kernel?
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.shared.link.is_inherited() && self.shared.link.ended().is_none()
    }

    /// What the server reported about messages that nobody waited for, since the last call of this
    /// method: it could not decode a notice, or its handler panicked. At most 64 are kept.
    #[must_use]
    pub fn take_rejections(&self) -> Vec<CallError> {
        self.shared.link.take_rejections()
    }

    /// Closes the link, for all clones. Calls that wait end with
    /// [`Departure::ClosedHere`]; sends and calls after that fail.
    pub fn close(&self) {
        self.shared.link.close(&Goodbye::Closed, Departure::ClosedHere);
    }
}

impl ClientShared {
    pub(crate) fn new<P: ShmMessage>(link: Arc<Link>, default_deadline: Duration) -> Self {
        Self {
            link,
            protocol: TypeId::of::<P>(),
            default_deadline,
            listener: Mutex::new(None),
            listening: Arc::new(Listening::new()),
        }
    }

    pub(crate) fn listening(&self) -> &Arc<Listening> {
        &self.listening
    }

    /// The thread that is waited for when the last handle goes.
    pub(crate) fn set_listener(&self, thread: thread::JoinHandle<()>) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    pub(crate) fn default_deadline(&self) -> Duration {
        self.default_deadline
    }
}

impl Drop for ClientShared {
    fn drop(&mut self) {
        if self.link.is_inherited() {
            // The link is the parent's, and so is the thread: there is nothing to close or to join.
            let listener = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(listener.take());
            return;
        }
        self.listening.stop();
        self.link.close(&Goodbye::Closed, Departure::ClosedHere);
        self.link.wake_own_side();
        let listener = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            // The last handle may go in an event handler, on that very thread.
            let own = listener.thread().id() == thread::current().id();
            if !own && self.listening.wait_ended(Some(CLOSE_PATIENCE)).is_some() {
                // `run` lets no panic out, so there is no payload to drop.
                drop(listener.join());
            }
        }
    }
}

impl<P: ShmMessage> Caller<P> for Client<P> {
    fn notify(&self, message: &P::Borrowed<'_>) -> Result<(), SendError> {
        self.send(message)
    }

    fn request<R: DeserializeOwned>(&self, message: &P::Borrowed<'_>) -> Result<R, CallError> {
        self.shared.link.call(message, self.deadline, decode_reply::<R>)
    }
}

impl<P: ShmMessage> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server_pid", &self.server_pid())
            .field("id", &self.id())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn shareable<T: Send + Sync + Clone>() {}
    shareable::<Client<crate::NoEvents>>();
    // Kept here so that the error types stay usable across threads.
    const fn sendable<T: Send + Sync + 'static>() {}
    sendable::<CallError>();
    sendable::<SendError>();
    sendable::<ConnectError>();
    sendable::<Rejection>();
    sendable::<Failure>();
};
