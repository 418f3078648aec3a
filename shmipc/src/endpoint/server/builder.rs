//! A server's options.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::Server;
use crate::error::{BindError, ConfigError, Refused};
use crate::link::LinkPolicy;
use crate::os::thread::{Hook, LISTENER_STACK};
use crate::os::wait;
use crate::ring::MAXIMUM_CAPACITY;
use crate::segment::admission::Admission;
use crate::segment::doorbell::Doorbell;
use crate::segment::options::{
    self, DEFAULT_DEADLINE, DEFAULT_MAX_LINK_MEMORY, DEFAULT_MAX_MESSAGE, DEFAULT_MAX_QUEUED,
    DEFAULT_RING_SIZE,
};
use crate::segment::registry::{MAXIMUM_LINKS, Registry, RegistryOptions};
use crate::typed::message::{ShmMessage, protocol};
use crate::typed::server::Settings;

/// Links that a server takes where the user chose no limit.
const DEFAULT_MAX_LINKS: usize = 256;

/// Frames of the library's own are taken up to this size even where messages may not be so large.
const LEAST_MESSAGE: u64 = 2048;

/// What a server does with events for a client that does not read, once the client's lane and its
/// private queue are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BackPressure {
    /// Refuse the event. Of a broadcast it is counted too, and the client is told how many it
    /// missed, at the place in the order where they are missing (`messages_missed` of its handler,
    /// or `on_missed`); who sends to one [`Peer`](crate::Peer) gets
    /// [`SendError::Overflow`](crate::SendError::Overflow) and may try again.
    #[default]
    DropAndCount,
    /// Close the link: [`Departure::TooSlow`](crate::Departure::TooSlow).
    Close,
}

/// Is told of clients that were not taken on.
pub(super) type OnRefused = Box<dyn FnMut(&Refused) + Send>;

/// A server's options; [`bind`](Self::bind) takes the name.
///
/// | option | default | range |
/// |---|---|---|
/// | [`ring_size`](Self::ring_size) | 64 KiB | power of two, 4 KiB to 1 GiB |
/// | [`max_message`](Self::max_message) | 64 MiB and 4 KiB | 16 bytes to 1 GiB |
/// | [`max_links`](Self::max_links) | 256 | 1 to 4,032 |
/// | [`max_link_memory`](Self::max_link_memory) | 64 MiB | what the rings take, to 5 GiB |
/// | [`max_queued`](Self::max_queued) | 4 MiB | 1 KiB to 4 GiB |
/// | [`admit`](Self::admit) | [`Admission::SameUser`] | |
/// | [`on_refused`](Self::on_refused) | nobody is told | |
/// | [`deadline`](Self::deadline) | 5 s | above zero |
/// | [`back_pressure`](Self::back_pressure) | [`BackPressure::DropAndCount`] | |
/// | [`spin`](Self::spin) | 50 µs; zero on one processor | up to 1 s |
/// | [`doorbell`](Self::doorbell) | [`Doorbell::Futex`] | |
/// | [`checksums`](Self::checksums) | on | |
/// | [`on_thread`](Self::on_thread) | nothing | |
///
/// # Memory
/// What a server holds for its clients is bounded, whatever they do. For each link it is at most
/// the sum of
/// - the link's segment: 4 KiB and four rings, and never more than `max_link_memory`;
/// - ten times `max_message`: two messages that arrive in fragments and two that came whole, in
///   buffers that grow by doubling, and one in each of the two queues beyond `max_queued`;
/// - twice `max_queued`: the queues for events and for replies;
/// - 64 KiB for the rest.
///
/// With `max_links` of them, and 10 MiB for the registry and the threads, that is
/// [`memory_budget`](Self::memory_budget). It is what the worst of clients can do, all at the same
/// time: a quiet link takes its segment and little more. With the default options it is some
/// hundred gibibytes, so whoever must live within a limit lowers `max_links` and `max_message`
/// first. What handlers keep is their own affair, and so is the value that a message is decoded to:
/// that takes at most as much memory for each byte as the protocol's types make of one (an absent
/// `Option<[u64; 32]>` is one byte in a message and 264 in a `Vec`), and one message is decoded at
/// a time.
#[must_use = "nothing happens before `bind`"]
pub struct ServerBuilder<P> {
    name: String,
    settings: Settings,
    on_refused: Option<OnRefused>,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> ServerBuilder<P> {
    pub(super) fn new(name: &str) -> Self {
        let settings = Settings {
            admission: Admission::default(),
            registry: RegistryOptions {
                doorbell: Doorbell::default(),
                checksums: true,
                max_message: DEFAULT_MAX_MESSAGE,
                message_ring: DEFAULT_RING_SIZE,
                reply_ring: DEFAULT_RING_SIZE,
                max_links: DEFAULT_MAX_LINKS,
            },
            policy: LinkPolicy {
                spin: wait::default_spin(),
                queue_maximum: DEFAULT_MAX_QUEUED,
                close_when_full: false,
            },
            deadline: DEFAULT_DEADLINE,
            max_link_memory: DEFAULT_MAX_LINK_MEMORY,
            hook: None,
        };
        Self { name: name.into(), settings, on_refused: None, protocol: PhantomData }
    }

    /// Bytes in each of a link's four rings, where the client chooses no other size. Larger
    /// messages pass too, in fragments.
    ///
    /// The rule: four times the messages that are usual. A message of at most half a ring passes in
    /// one piece, and while one is read the next is written. So the default is for messages of
    /// up to 16 KiB; larger ones lose up to half their speed in it, smaller ones gain nothing
    /// from more. From 1 MiB on, rings of 8 MiB are faster still: they are larger than a
    /// processor's own cache, and the two sides meet in the cache that they share. The memory
    /// of all four is reserved while a client connects, and takes the most of that time.
    pub fn ring_size(mut self, bytes: usize) -> Self {
        self.settings.registry.message_ring = bytes;
        self.settings.registry.reply_ring = bytes;
        self
    }

    /// Largest message in bytes, encoded, in either direction.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.registry.max_message = bytes;
        self
    }

    /// Who may connect besides this process's own user. Not with [`Doorbell::Event`], which needs
    /// peers that are trusted.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Admission, Client, Server, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// // As user 1000:
    /// let server = Server::<Calc>::builder("calc").admit(Admission::Users(vec![1001])).bind()?;
    /// // As user 1001:
    /// let client = Client::<Calc>::builder("calc").server_user(1000).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn admit(mut self, admission: Admission) -> Self {
        self.settings.admission = admission;
        self
    }

    /// Calls `tell` for every client that is not taken on, with the exact cause: the client itself
    /// is told no more than a [`Refusal`](crate::Refusal). On the listener's thread, so others
    /// wait meanwhile; a panic in it is ignored. Whoever may connect decides how often: do not
    /// let a log grow without bound.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Server, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// let builder = Server::<Calc>::builder("calc");
    /// let server = builder.on_refused(|refused| eprintln!("{refused}")).bind()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_refused(mut self, tell: impl FnMut(&Refused) + Send + 'static) -> Self {
        self.on_refused = Some(Box::new(tell));
        self
    }

    /// Most clients at a time. Each link takes up to two file descriptors of this process, so that
    /// a thousand links want a higher limit than is usual (`ulimit -n`). A client beyond is
    /// refused with [`Refusal::TooManyLinks`](crate::Refusal::TooManyLinks).
    pub fn max_links(mut self, links: usize) -> Self {
        self.settings.registry.max_links = links;
        self
    }

    /// Most shared memory in bytes for one link; a client that asks for larger rings is refused.
    pub fn max_link_memory(mut self, bytes: usize) -> Self {
        self.settings.max_link_memory = bytes;
        self
    }

    /// Most bytes that wait privately for one client's lane, for events as well as for replies;
    /// each message counts some 200 bytes more than it has. One message always may, however
    /// large.
    pub fn max_queued(mut self, bytes: usize) -> Self {
        self.settings.policy.queue_maximum = bytes;
        self
    }

    /// How long the server's own calls wait for a client's reply.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// What happens to events for a client that does not read.
    pub fn back_pressure(mut self, policy: BackPressure) -> Self {
        self.settings.policy.close_when_full = policy == BackPressure::Close;
        self
    }

    /// Calls `hook` with the thread's name, first in each thread that the library starts for this
    /// server: the listener, which runs its handlers (`shmipc-listener`), and whoever takes
    /// answers that come after their calls' deadlines (`shmipc-reaper`). It may set a priority,
    /// processors or a signal mask; what the threads have without it stands at
    /// [Threads](crate#threads). The one thread that waits for the deaths of all this process's
    /// peers (`shmipc-watch`) runs the hook of the server or client whose link starts it, if
    /// that has one.
    ///
    /// `serve` waits for the listener's, and gives
    /// [`ServeError::Thread`](crate::ServeError::Thread) if it panicked. In the other threads a
    /// panic is printed and goes no further. The hook must not wait for the thread that serves.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use shmipc::{Server, ShmMessage};
    /// # #[derive(Serialize, Deserialize, ShmMessage)]
    /// # enum Calc { #[shm(reply = u32)] Add { a: u32, b: u32 } }
    /// let calc = Server::<Calc>::builder("calc")
    ///     .on_thread(|name| eprintln!("{name} runs as {:?}", std::thread::current().id()))
    ///     .bind()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.settings.hook = Some(Hook::new(hook));
        self
    }

    /// How long to look for messages before sleeping, on this side. Zero never spins.
    pub fn spin(mut self, budget: Duration) -> Self {
        self.settings.policy.spin = budget;
        self
    }

    /// How sleeping sides are woken, on both sides.
    pub fn doorbell(mut self, kind: Doorbell) -> Self {
        self.settings.registry.doorbell = kind;
        self
    }

    /// Whether frames carry a checksum, on both sides. Off is faster, and a peer's stray write into
    /// the ring may then come through as a wrong value.
    pub fn checksums(mut self, on: bool) -> Self {
        self.settings.registry.checksums = on;
        self
    }

    /// Most memory in bytes that the server holds for its clients with these options, shared memory
    /// included, whatever they do; see "Memory" above. More than an `u64` can say is `u64::MAX`.
    #[must_use]
    pub fn memory_budget(&self) -> u64 {
        let Settings { registry, policy, max_link_memory, .. } = &self.settings;
        let [links, message, queue, segment] =
            [registry.max_links, registry.max_message, policy.queue_maximum, *max_link_memory]
                .map(|value| value as u64);
        let link = segment
            .saturating_add(message.max(LEAST_MESSAGE).saturating_mul(10))
            .saturating_add(queue.saturating_mul(2))
            .saturating_add(64 << 10);
        links.saturating_mul(link).saturating_add((2 << 20) + LISTENER_STACK as u64)
    }

    /// Takes the name, as this process's effective user: a process that changes its user does so
    /// before, or it cannot remove the name at the end
    /// ([`ServeError::NameLeft`](crate::ServeError::NameLeft)), and its clients must be of its
    /// new user, be admitted, and trust the first one
    /// ([`ClientBuilder::server_user`](crate::ClientBuilder::server_user)).
    ///
    /// Should the name's file be removed while the server lives (`rm`, a log-out with
    /// `RemoveIPC=yes`), it is there again within a second, and links stand as they were. If
    /// another server took the name before, this one stops
    /// ([`ServeError::NameLost`](crate::ServeError::NameLost)).
    ///
    /// # Errors
    /// [`BindError`]: an option is out of range, the name cannot be one, a live server has it,
    /// another user has it, or shared memory is full.
    pub fn bind(self) -> Result<Server<P>, BindError> {
        self.check()?;
        let registry = Registry::bind(
            &self.name,
            protocol::<P>(),
            &self.settings.registry,
            &self.settings.admission,
        )?;
        crate::segment::sweep(self.settings.hook.clone());
        Ok(Server {
            registry,
            settings: self.settings,
            on_refused: self.on_refused,
            protocol: PhantomData,
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let Settings { registry, policy, deadline, max_link_memory, .. } = &self.settings;
        self.settings.admission.check()?;
        if registry.doorbell == Doorbell::Event && self.settings.admission != Admission::SameUser {
            return Err(ConfigError::DoorbellOfTrust);
        }
        options::check_ring_size(registry.message_ring)?;
        options::check_ring_size(registry.reply_ring)?;
        options::check_max_message(registry.max_message)?;
        options::check_deadline("server's deadline", *deadline)?;
        options::check_spin(policy.spin)?;
        options::check_range("a limit of links", registry.max_links, 1, MAXIMUM_LINKS)?;
        let needed = crate::segment::link::memory_for(registry.message_ring, registry.reply_ring);
        let most = crate::segment::link::memory_for(MAXIMUM_CAPACITY, MAXIMUM_CAPACITY);
        options::check_range("a link's memory limit", *max_link_memory, needed, most)?;
        options::check_range("a queue limit", policy.queue_maximum, 1 << 10, 4 << 30)
    }
}

impl<P> fmt::Debug for ServerBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish()
    }
}
