//! A client's options.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::connect::{self, Wanted};
use super::listener::{Both, EventService, Listener};
use crate::error::{ConfigError, ConnectError, Departure};
use crate::link::{Link, LinkPolicy};
use crate::os::thread::{Hook, Purpose, spawn};
use crate::os::wait;
use crate::ring::{MAXIMUM_CAPACITY, MINIMUM_CAPACITY};
use crate::segment::link::memory_for;
use crate::segment::options::{
    self, DEFAULT_DEADLINE, DEFAULT_MAX_LINK_MEMORY, DEFAULT_MAX_QUEUED,
};
use crate::typed::client::{Client, ClientShared};
use crate::typed::context::Context;
use crate::typed::dispatch::{Dispatch, FnService, HandlerService, Service};
use crate::typed::message::ShmMessage;

/// A client's options; [`connect`](Self::connect) connects.
///
/// | option | default | range |
/// |---|---|---|
/// | [`connect_deadline`](Self::connect_deadline) | 5 s | above zero |
/// | [`deadline`](Self::deadline) | 5 s | above zero |
/// | [`ring_size`](Self::ring_size) | the server's | power of two, 4 KiB to 1 GiB, within the server's memory limit |
/// | [`max_message`](Self::max_message) | the server's | 16 bytes to the server's |
/// | [`max_link_memory`](Self::max_link_memory) | 64 MiB | 20 KiB to 4 GiB and 4 KiB |
/// | [`server_user`](Self::server_user) | this process's own | |
/// | [`spin`](Self::spin) | 50 µs; zero on one processor | up to 1 s |
/// | [`on_thread`](Self::on_thread) | nothing | |
///
/// Whoever wants events says how they are handled: [`on_event`](Self::on_event) for events that ask
/// for no reply, [`serve_events`](Self::serve_events) or [`serve_events_fn`](Self::serve_events_fn)
/// for all. That starts the client's listener thread. A client without any is skipped by
/// broadcasts, and who sends it an event gets
/// [`SendError::NotHandled`](crate::SendError::NotHandled).
#[must_use = "nothing happens before `connect`"]
pub struct ClientBuilder<P: ShmMessage> {
    name: String,
    server_user: Option<u32>,
    ring_size: Option<usize>,
    max_message: Option<usize>,
    max_link_memory: usize,
    deadline: Duration,
    connect_deadline: Duration,
    spin: Duration,
    hook: Option<Hook>,
    service: Option<Box<dyn Service<P::Events>>>,
    events: EventService<P::Events>,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> ClientBuilder<P> {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            server_user: None,
            ring_size: None,
            max_message: None,
            max_link_memory: DEFAULT_MAX_LINK_MEMORY,
            deadline: DEFAULT_DEADLINE,
            connect_deadline: DEFAULT_DEADLINE,
            spin: wait::default_spin(),
            hook: None,
            service: None,
            events: EventService::default(),
            protocol: PhantomData,
        }
    }

    /// How long sends wait for room and calls for their replies.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long to wait for the server, also for one that is not there yet.
    pub fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline;
        self
    }

    /// The id of the user whose server is trusted, where that is not this process's own user. The
    /// server must admit this process's user in turn: [`ServerBuilder::admit`]. For what that user
    /// could then do to this process, see the [threat model](crate#threat-model).
    ///
    /// [`ServerBuilder::admit`]: crate::ServerBuilder::admit
    pub fn server_user(mut self, uid: u32) -> Self {
        self.server_user = Some(uid);
        self
    }

    /// Bytes in each of the link's four rings.
    pub fn ring_size(mut self, bytes: usize) -> Self {
        self.ring_size = Some(bytes);
        self
    }

    /// Largest message in bytes, encoded, in either direction.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = Some(bytes);
        self
    }

    /// Most shared memory in bytes for the link, where the server chooses its rings: what the
    /// server says stands in memory that its other clients can write. With a
    /// [`ring_size`](Self::ring_size) of one's own this has no meaning. A server that asks for
    /// more is not connected to: [`ConnectError::LinkMemory`].
    pub fn max_link_memory(mut self, bytes: usize) -> Self {
        self.max_link_memory = bytes;
        self
    }

    /// How long to look for replies and events before sleeping, on this side. Zero never spins.
    pub fn spin(mut self, budget: Duration) -> Self {
        self.spin = budget;
        self
    }

    /// Calls `hook` with the thread's name, first in each thread that the library starts for this
    /// client: the listener (`shmipc-events`), and whoever takes answers that come after their
    /// calls' deadlines (`shmipc-reaper`). It may set a priority, processors or a signal mask;
    /// what the threads have without it stands at [Threads](crate#threads). The one thread that
    /// waits for the deaths of all this process's peers (`shmipc-watch`) runs the hook of the
    /// client or server whose link starts it, if that has one.
    ///
    /// `connect` waits for the listener's, and gives [`ConnectError::Thread`] if it panicked. In
    /// the other threads a panic is printed and goes no further. The hook must not wait for the
    /// thread that connects.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Client, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// let calc = Client::<Calc>::builder("calc")
    ///     .on_thread(|name| eprintln!("{name} runs as {:?}", std::thread::current().id()))
    ///     .connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Calls `handle` for every event, on the client's listener thread. An event that asks for a
    /// reply is answered with a rejection; use [`serve_events`](Self::serve_events) for those.
    ///
    /// A protocol without `#[shm(events = …)]` has no events, and `handle` is never called.
    ///
    /// Of events that borrow (`enum Said<'a> { Line { text: &'a str } }`, in the protocol
    /// `#[shm(events = Said<'static>)]`) the closure gets a value that points into the receive
    /// buffer, without a copy: it ends with the call, so copy what is to be kept.
    pub fn on_event<F>(mut self, handle: F) -> Self
    where
        F: for<'m> FnMut(<P::Events as ShmMessage>::Borrowed<'m>) + Send + 'static,
    {
        self.events.on_event = Some(Box::new(handle));
        self
    }

    /// Calls `handle` with the number of events that this client missed, in the order of those that
    /// did come: the server dropped them because this client did not read them in time, or they
    /// could not be decoded, or their handler panicked, or there is none for them.
    pub fn on_missed(mut self, handle: impl FnMut(u64) + Send + 'static) -> Self {
        self.events.on_missed = Some(Box::new(handle));
        self
    }

    /// Calls `handle` when the link ended, with the reason, on the client's listener thread. Works
    /// alone too, for a client that wants no events. Beside [`serve_events`](Self::serve_events)
    /// the handler's `peer_departed` comes first, then this.
    pub fn on_departure(mut self, handle: impl FnMut(&Departure) + Send + 'static) -> Self {
        self.events.on_departure = Some(Box::new(handle));
        self
    }

    /// Handles events, those that ask for a reply too, with one method for each variant of the
    /// events' enum. Takes the place of [`on_event`](Self::on_event).
    pub fn serve_events<H>(mut self, handler: H) -> Self
    where
        P::Events: Dispatch<H>,
        H: Send + 'static,
    {
        self.service = Some(Box::new(HandlerService(handler)));
        self
    }

    /// Handles events whole, and gives the reply of the same variant. Takes the place of
    /// [`on_event`](Self::on_event).
    pub fn serve_events_fn<F>(mut self, handle: F) -> Self
    where
        F: for<'m> FnMut(
                &Context<P::Events>,
                <P::Events as ShmMessage>::Borrowed<'m>,
            ) -> <P::Events as ShmMessage>::Reply
            + Send
            + 'static,
    {
        self.service = Some(Box::new(FnService(handle)));
        self
    }

    /// Connects. Waits for the server up to the connect deadline.
    ///
    /// # Errors
    /// [`ConnectError`]: an option is out of range, there is no server until the deadline, or it is
    /// of another user, layout, protocol or version, or refuses.
    pub fn connect(self) -> Result<Client<P>, ConnectError> {
        self.check()?;
        let handles_events = self.service.is_some() || self.events.handles_events();
        let service: Option<Box<dyn Service<P::Events>>> = match self.service {
            Some(handler) => Some(Box::new(Both { handler, closures: self.events })),
            None if self.events.is_empty() => None,
            None => Some(Box::new(self.events)),
        };
        let wanted = Wanted {
            name: &self.name,
            server_uid: self.server_user.unwrap_or_else(crate::os::effective_uid),
            ring_size: self.ring_size,
            max_message: self.max_message,
            max_link_memory: self.max_link_memory,
            connect_deadline: self.connect_deadline,
            policy: LinkPolicy {
                spin: self.spin,
                queue_maximum: DEFAULT_MAX_QUEUED,
                close_when_full: false,
            },
            handles_events,
            hook: self.hook.as_ref(),
        };
        let (link, inbound) = connect::connect::<P>(&wanted)?;
        let shared = Arc::new(ClientShared::new::<P>(link.clone(), self.deadline));
        if let Some(service) = service {
            start_listener(&shared, link, inbound, service, self.hook)?;
        }
        Ok(Client::new(shared))
    }

    fn check(&self) -> Result<(), ConfigError> {
        options::check_deadline("deadline", self.deadline)?;
        options::check_deadline("connect deadline", self.connect_deadline)?;
        options::check_spin(self.spin)?;
        if let Some(size) = self.ring_size {
            options::check_ring_size(size)?;
        }
        let (least, most) = (MINIMUM_CAPACITY, MAXIMUM_CAPACITY);
        let [least, most] = [least, most].map(|ring| memory_for(ring, ring));
        options::check_range("a link's memory limit", self.max_link_memory, least, most)?;
        self.max_message.map_or(Ok(()), options::check_max_message)
    }
}

fn start_listener<E: ShmMessage>(
    shared: &Arc<ClientShared>,
    link: Arc<Link>,
    inbound: crate::link::inbound::Inbound,
    service: Box<dyn Service<E>>,
    hook: Option<Hook>,
) -> Result<(), ConnectError> {
    let context = Context::of_client(link.clone(), shared);
    let listener = Listener::new(link, inbound, context, service, shared.listening().clone());
    let thread = spawn(Purpose::Events, hook, move || listener.run());
    let thread = thread.map_err(ConnectError::Thread)?;
    shared.set_listener(thread);
    Ok(())
}

impl<P: ShmMessage> Client<P> {
    /// Connects to the server named `name` with the default options. Waits for the server up to the
    /// connect deadline, 5 seconds.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(name: &str) -> Result<Self, ConnectError> {
        Self::builder(name).connect()
    }

    /// Options for a client of the server named `name`.
    pub fn builder(name: &str) -> ClientBuilder<P> {
        ClientBuilder::new(name)
    }
}

impl<P: ShmMessage> fmt::Debug for ClientBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
