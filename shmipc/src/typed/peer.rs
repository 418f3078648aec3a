//! A handle on one peer.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::{CallError, Departure, SendError};
use crate::link::Link;
use crate::link::control::Goodbye;
use crate::link::outbound::WhenFull;
use crate::typed::message::{Caller, ShmMessage, decode_reply};

/// A handle on one linked peer, which takes messages of protocol `E`: in a server, one client,
/// which takes the protocol's events. Cheap to clone; may be kept, and used from any thread.
///
/// Sending to a client never waits: what its lane has no room for stands in a bounded private queue
/// until it reads; see [`BackPressure`](crate::BackPressure) for what happens beyond.
///
/// A handler that remembers who asked, and answers later:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Client, Context, Peer, Server, ShmMessage};
/// #[derive(Serialize, Deserialize, ShmMessage)]
/// #[shm(events = Ready)]
/// enum Kitchen {
///     Order { dish: String },
///     #[shm(reply = u32)]
///     Cook,
/// }
///
/// #[derive(Serialize, Deserialize, ShmMessage)]
/// enum Ready {
///     Dish { name: String },
/// }
///
/// #[derive(Default)]
/// struct Cook(Vec<(Peer<Ready>, String)>);
///
/// impl KitchenHandler for Cook {
///     fn order(&mut self, cx: &Context<Kitchen>, dish: String) {
///         self.0.push((cx.peer().clone(), dish));
///     }
///     fn cook(&mut self, _cx: &Context<Kitchen>) -> u32 {
///         let mut served = 0;
///         for (guest, name) in self.0.drain(..) {
///             // Whoever has gone meanwhile gets nothing.
///             served += u32::from(guest.send(&Ready::Dish { name }).is_ok());
///         }
///         served
///     }
/// }
///
/// let name = format!("kitchen-{}", std::process::id());
/// let running = Server::<Kitchen>::bind(&name)?.serve(Cook::default())?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let guest = Client::<Kitchen>::builder(&name)
///     .on_event(move |Ready::Dish { name }| drop(tell.send(name)))
///     .connect()?;
/// guest.order("soup".into())?;
/// assert_eq!(guest.cook()?, 1);
/// assert_eq!(told.recv()?, "soup");
/// running.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Peer<E: ShmMessage> {
    /// `None` in the context of a [`Local`](crate::Local) handler.
    link: Option<Arc<Link>>,
    timeout: Duration,
    protocol: PhantomData<fn(E)>,
}

impl<E: ShmMessage> Clone for Peer<E> {
    fn clone(&self) -> Self {
        Self::new(self.link.clone(), self.timeout)
    }
}

impl<E: ShmMessage> Peer<E> {
    pub(crate) fn new(link: Option<Arc<Link>>, timeout: Duration) -> Self {
        Self { link, timeout, protocol: PhantomData }
    }

    /// The link's number: from 1 on, never given twice by one server. Zero for a
    /// [`Local`](crate::Local) caller.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.peer().id)
    }

    /// The peer's process id: as the kernel tells it, in this process's pid namespace, where
    /// [`pid_is_certain`](Self::pid_is_certain), and otherwise as the peer gave it, which is right
    /// for people and not for decisions. Even a certain one was so when the link was made: the
    /// process may have ended since, and the number may be another's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.link.as_ref().map_or_else(std::process::id, |link| link.peer().pid)
    }

    /// Is [`pid`](Self::pid) the kernel's word? Not if the peer is in a pid namespace that cannot
    /// be seen from this process's, nor if it is this very process. Where it is, that process
    /// had a hand in making the link: a peer cannot give another's pid unless that one helps
    /// it.
    #[must_use]
    pub fn pid_is_certain(&self) -> bool {
        self.link.as_ref().is_none_or(|link| link.peer().pid_is_certain)
    }

    /// The peer's effective user when it made its segment, from the kernel.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.link.as_ref().map_or_else(crate::os::effective_uid, |link| link.peer().uid)
    }

    /// A group of the peer's, from the kernel: its effective group when it made its segment, or the
    /// admitted group, of which only members can show that they are, if it got in by
    /// [`Admission::Group`](crate::Admission::Group).
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.link.as_ref().map_or_else(crate::os::effective_gid, |link| link.peer().gid)
    }

    /// Is the link up, as far as this side knows without asking the kernel?
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.is_inherited() && link.ended().is_none())
    }

    /// The same handle with another deadline for its calls.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self::new(self.link.clone(), deadline)
    }

    /// Sends a message that nobody waits for. Never waits.
    ///
    /// A message that is refused because the peer does not read ([`SendError::Overflow`]) counts as
    /// missed, of which the peer is told: whoever sends it again sends one more. Use
    /// [`try_send`](Self::try_send) to keep it and send it later.
    ///
    /// The message is encoded once, on this thread, and nobody else waits meanwhile.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&self, message: &E::Borrowed<'_>) -> Result<(), SendError> {
        self.link()?.notify(message, self.timeout, WhenFull::Count)
    }

    /// The same, but a message that is refused because the peer does not read does not count as
    /// missed: it is still the caller's, who sends it later, or knows that it was lost.
    ///
    /// # Errors
    /// [`SendError`]; the message is still the caller's.
    pub fn try_send(&self, message: &E::Borrowed<'_>) -> Result<(), SendError> {
        self.link()?.notify(message, self.timeout, WhenFull::Refuse)
    }

    /// What the peer reported about messages that nobody waited for, since the last call of this
    /// method: it could not decode an event, its handler for it panicked, or it has none. At most
    /// 64 are kept.
    #[must_use]
    pub fn take_rejections(&self) -> Vec<CallError> {
        self.link.as_ref().map_or_else(Vec::new, |link| link.take_rejections())
    }

    /// Sends a message and waits until it was handled; gives its variant's reply. Works from inside
    /// a handler, also towards the peer that is being handled.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, message: &E::Borrowed<'_>) -> Result<E::Reply, CallError> {
        let variant = E::variant_index(message);
        let read = |bytes: &[u8]| E::decode_reply(variant, bytes);
        self.link()?.call(message, self.timeout, read)
    }

    /// Ends this link; the peer learns that this side closed it.
    pub fn close(&self) {
        if let Some(link) = &self.link {
            link.close(&Goodbye::Closed, Departure::ClosedHere);
        }
    }

    fn link(&self) -> Result<&Link, SendError> {
        self.link.as_deref().ok_or(SendError::NotHandled { pid: self.pid() })
    }
}

impl<E: ShmMessage> Caller<E> for Peer<E> {
    fn notify(&self, message: &E::Borrowed<'_>) -> Result<(), SendError> {
        self.send(message)
    }

    fn request<R: DeserializeOwned>(&self, message: &E::Borrowed<'_>) -> Result<R, CallError> {
        self.link()?.call(message, self.timeout, decode_reply::<R>)
    }
}

impl<E: ShmMessage> fmt::Debug for Peer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id())
            .field("pid", &self.pid())
            .field("uid", &self.uid())
            .field("gid", &self.gid())
            .finish_non_exhaustive()
    }
}
