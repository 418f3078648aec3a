//! What handlers and other threads may do with a running server.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::listening::{End, Listening};
use crate::codec::{self, TooLargeOr};
use crate::error::SendError;
use crate::link::{Link, LinkPolicy, nesting};
use crate::os::thread::Hook;
use crate::segment::admission::Admission;
use crate::segment::options::DEFAULT_DEADLINE;
use crate::segment::registry::{Registry, RegistryOptions};
use crate::sync::{Mutex, MutexGuard};
use crate::typed::message::ShmMessage;
use crate::typed::peer::Peer;

/// A broadcast's buffer above this is given back.
const KEPT_BUFFER: usize = 1 << 20;

/// Everything a server was told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) admission: Admission,
    pub(crate) registry: RegistryOptions,
    pub(crate) policy: LinkPolicy,
    pub(crate) deadline: Duration,
    pub(crate) max_link_memory: usize,
    pub(crate) hook: Option<Hook>,
}

/// What the listener and the handles have in common.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) settings: Settings,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    /// What the last broadcast used, for the next.
    broadcasting: Mutex<Broadcasting>,
    pub(crate) listening: Listening,
}

#[derive(Default)]
struct Broadcasting {
    /// The encoded event.
    bytes: Vec<u8>,
    links: Vec<Arc<Link>>,
}

impl Shared {
    pub(crate) fn new(registry: Registry, settings: Settings) -> Self {
        Self {
            registry: Arc::new(registry),
            settings,
            links: Mutex::new(BTreeMap::new()),
            broadcasting: Mutex::default(),
            listening: Listening::new(),
        }
    }

    pub(crate) fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Was the server started by a parent of this process? Then keep away from its locks: a thread
    /// that stayed behind may hold them for ever.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.registry.is_inherited()
    }

    fn broadcasting(&self) -> MutexGuard<'_, Broadcasting> {
        self.broadcasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_to_all(&self, memory: &mut Broadcasting, result: &mut Broadcast) {
        memory.links.extend(self.links().values().cloned());
        for link in memory.links.drain(..) {
            match link.notify_encoded(&memory.bytes) {
                Ok(()) => result.delivered += 1,
                Err(SendError::Overflow { .. }) => result.missed += 1,
                Err(error @ SendError::TooLarge { .. }) => result.error = Some(error),
                // Gone, or handles no events.
                Err(_) => {}
            }
        }
    }

    /// Is this thread encoding a message for this server's links, for one or all of them?
    fn is_encoding(&self) -> bool {
        nesting::is_for(|whom| {
            whom == nesting::address(&*self.registry)
                || self.links().values().any(|link| link.is_meant_by(whom))
        })
    }

    pub(crate) fn stop(&self) {
        if self.is_inherited() {
            return;
        }
        self.listening.stop();
        self.registry.bell().ring_own();
        self.registry.bell().ring();
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        // A forked child that came out of a handler serves nobody.
        self.listening.is_stopping() || self.is_inherited()
    }

    /// Gives the name free, though handles may keep the rest alive for longer.
    pub(crate) fn release_name(&self) -> Result<(), End> {
        self.registry
            .release()
            .map_err(|error| End::NameLeft { code: error.raw_os_error().unwrap_or(0) })
    }
}

/// A handle on a running server: for its handlers and for other threads of its process. Cheap to
/// clone.
///
/// A thread that is no handler tells all clients the time, and ends the server:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Server, ShmMessage};
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # #[shm(events = Tick)]
/// # enum Clock { Hello }
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # enum Tick { Second { number: u64 } }
/// let name = format!("clock-{}", std::process::id());
/// let running = Server::<Clock>::bind(&name)?.serve_fn(|_cx, message| match message {
///     Clock::Hello => ClockReply::Hello,
/// })?;
/// let handle = running.handle();
/// let ticker = std::thread::spawn(move || {
///     for number in 0..3 {
///         // Never waits: who does not read misses it, and is told so.
///         handle.broadcast(&Tick::Second { number });
///     }
///     handle.stop();
/// });
/// running.join()?;
/// # drop(ticker.join());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerHandle<P> {
    /// `None` where there is no server: in a client's handlers, in [`Local`](crate::Local).
    shared: Option<Arc<Shared>>,
    protocol: PhantomData<fn(P)>,
}

impl<P> Clone for ServerHandle<P> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), protocol: PhantomData }
    }
}

/// What became of a broadcast.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Broadcast {
    /// Clients to which the event was sent, or for which it waits.
    pub delivered: usize,
    /// Clients that do not read and missed it; they are told how many they missed, or were closed.
    pub missed: usize,
    /// Why it went to nobody: it cannot be encoded, or is too large for a link.
    pub error: Option<SendError>,
}

impl<P: ShmMessage> ServerHandle<P> {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared: Some(shared), protocol: PhantomData }
    }

    pub(crate) fn none() -> Self {
        Self { shared: None, protocol: PhantomData }
    }

    pub(crate) fn default_deadline(&self) -> Duration {
        self.shared.as_ref().map_or(DEFAULT_DEADLINE, |shared| shared.settings.deadline)
    }

    /// Sends an event to every client that handles events. Encodes it once and never waits. What
    /// came of it stands in the result: an event that cannot be encoded goes to nobody
    /// ([`Broadcast::error`]).
    pub fn broadcast(&self, event: &<P::Events as ShmMessage>::Borrowed<'_>) -> Broadcast {
        let mut result = Broadcast::default();
        let Some(shared) = &self.shared else {
            return result;
        };
        if shared.is_inherited() {
            result.error = Some(SendError::Forked);
            return result;
        }
        if shared.is_encoding() {
            result.error = Some(SendError::InsideSerialize);
            return result;
        }
        // Taken, not locked: encoding is the user's code. Who broadcasts at the same time has its
        // own.
        let mut memory = std::mem::take(&mut *shared.broadcasting());
        memory.bytes.clear();
        let maximum = shared.settings.registry.max_message;
        let encoding = nesting::Encoding::begin(nesting::address(&*shared.registry));
        let encoded = codec::encode_to_vec(event, &mut memory.bytes, maximum);
        drop(encoding);
        match encoded {
            // A forked child that comes out of the event's `Serialize`.
            Ok(()) if shared.is_inherited() => result.error = Some(SendError::Forked),
            Ok(()) => shared.send_to_all(&mut memory, &mut result),
            Err(TooLargeOr::TooLarge { length }) => {
                result.error = Some(SendError::TooLarge { length, maximum });
            }
            Err(TooLargeOr::Value(error)) => result.error = Some(SendError::Encode(error)),
        }
        memory.bytes.clear();
        memory.bytes.shrink_to(KEPT_BUFFER);
        *shared.broadcasting() = memory;
        result
    }

    /// Everybody who is linked now, in the order of their ids. In a forked child nobody is.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer<P::Events>> {
        let timeout = self.default_deadline();
        self.own().map_or_else(Vec::new, |shared| {
            let links = shared.links();
            links.values().map(|link| Peer::new(Some(link.clone()), timeout)).collect()
        })
    }

    /// The peer with this id, if it is linked now.
    #[must_use]
    pub fn peer(&self, id: u64) -> Option<Peer<P::Events>> {
        let link = self.own()?.links().get(&id)?.clone();
        Some(Peer::new(Some(link), self.default_deadline()))
    }

    fn own(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref().filter(|shared| !shared.is_inherited())
    }

    /// Has the server stop: clients learn that it stopped, the name is free. Does not wait for it.
    pub fn stop(&self) {
        if let Some(shared) = &self.shared {
            shared.stop();
        }
    }
}

impl<P> fmt::Debug for ServerHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.shared.as_ref().filter(|shared| !shared.is_inherited());
        let links = own.map(|shared| shared.links().len());
        f.debug_struct("ServerHandle").field("links", &links).finish_non_exhaustive()
    }
}
