//! What a handler may ask: who is calling, and the server it runs in.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use super::client::{Client, ClientShared};
use super::server::ServerHandle;
use crate::link::Link;
use crate::typed::message::ShmMessage;
use crate::typed::peer::Peer;

/// Given to every handler call: who sent the message, and the way back.
///
/// `P` is the protocol that is handled. In a server, [`peer`](Self::peer) is the client and takes
/// the protocol's events; [`server`](Self::server) reaches all clients. In a client that handles
/// events, [`peer`](Self::peer) is the server, and [`client`](Self::client) gives the client
/// itself, to send and to call with.
///
/// Sending and calling from inside a handler is allowed. A call keeps this listener waiting, so two
/// sides that call each other from their handlers at the same moment wait for each other until one
/// deadline passes.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use shmipc::{Context, ShmMessage};
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # #[shm(events = Said)]
/// # enum Chat {
/// #     Say { text: String },
/// #     #[shm(reply = usize)]
/// #     Present,
/// # }
/// # #[derive(Serialize, Deserialize, ShmMessage)]
/// # enum Said {
/// #     Line { by: u64, text: String },
/// # }
/// struct Room;
///
/// impl ChatHandler for Room {
///     fn say(&mut self, cx: &Context<Chat>, text: String) {
///         let heard = cx.server().broadcast(&Said::Line { by: cx.peer().id(), text });
///         println!("{} heard it, {} were too slow", heard.delivered, heard.missed);
///     }
///     fn present(&mut self, cx: &Context<Chat>) -> usize {
///         cx.server().peers().len()
///     }
/// }
/// ```
pub struct Context<P: ShmMessage /* `Picture<'static>` for an enum `Picture<'a>` */> {
    peer: Peer<P::Events>,
    server: ServerHandle<P>,
    client: Option<Weak<dyn Any + Send + Sync>>,
}

impl<P: ShmMessage> Context<P> {
    pub(crate) fn of_server(link: Arc<Link>, server: ServerHandle<P>) -> Self {
        let timeout = server.default_deadline();
        Self { peer: Peer::new(Some(link), timeout), server, client: None }
    }

    pub(crate) fn of_client(link: Arc<Link>, client: &Arc<ClientShared>) -> Self {
        let shared: Arc<dyn Any + Send + Sync> = client.clone();
        let timeout = client.default_deadline();
        Self {
            peer: Peer::new(Some(link), timeout),
            server: ServerHandle::none(),
            client: Some(Arc::downgrade(&shared)),
        }
    }

    pub(crate) fn detached() -> Self {
        let server = ServerHandle::none();
        Self { peer: Peer::new(None, server.default_deadline()), server, client: None }
    }

    /// Who sent this message.
    #[must_use]
    pub fn peer(&self) -> &Peer<P::Events> {
        &self.peer
    }

    /// The server that handles this message: for broadcasting and for the list of peers. In a
    /// client it is a server without peers.
    #[must_use]
    pub fn server(&self) -> &ServerHandle<P> {
        &self.server
    }

    /// In a client's event handler: the client, if `Q` is the protocol with which it connected and
    /// it was not dropped meanwhile. `None` in a server.
    #[must_use]
    pub fn client<Q: ShmMessage>(&self) -> Option<Client<Q>> {
        let shared = self.client.as_ref()?.upgrade()?.downcast::<ClientShared>().ok()?;
        Client::of_shared(shared)
    }
}

impl<P: ShmMessage> fmt::Debug for Context<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("peer", &self.peer).finish_non_exhaustive()
    }
}
