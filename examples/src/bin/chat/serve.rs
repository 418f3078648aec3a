//! The serving side: passes every line on to everybody else.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use shmipc::{Context, Departure, Server};
use shmipc_examples::printable;

use crate::protocol::{Chat, ChatEvent, ChatHandler, JoinError};
use crate::screen::{self, Happening};

/// Serves the chat until the input ends.
///
/// # Errors
/// The name is taken, or the input cannot be read.
pub(crate) fn run(server: &str, name: &str) -> Result<()> {
    let names = Names::default();
    let hall = Hall { own_name: name.into(), names: names.clone() };
    let running = Server::<Chat>::bind(server)?.serve(hall)?;
    screen::line(&format!("* serving {server:?}; type lines, end with Ctrl-D"));
    let (sender, happenings) = channel();
    screen::read_input(sender)?;
    for happening in happenings {
        match happening {
            Happening::Typed(text) => {
                let from = name.to_owned();
                names.tell(&running.handle(), None, &ChatEvent::Said { from, text });
            }
            Happening::InputEnded(ended) => {
                ended.context("cannot read the input")?;
                break;
            }
            Happening::Gone(_) => {}
        }
    }
    Ok(running.stop()?)
}

/// Who has joined: names by link. The main thread needs them for the server's own lines.
#[derive(Debug, Default, Clone)]
struct Names(Arc<Mutex<BTreeMap<u64, String>>>);

impl Names {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who joined but `except`.
    fn tell(&self, server: &shmipc::ServerHandle<Chat>, except: Option<u64>, event: &ChatEvent) {
        let ids: Vec<u64> = self.lock().keys().copied().collect();
        for id in ids.into_iter().filter(|id| Some(*id) != except) {
            // Who is gone meanwhile is reported with its departure, and who does not read is told
            // how much it missed.
            if let Some(peer) = server.peer(id) {
                drop(peer.send(event));
            }
        }
    }
}

struct Hall {
    own_name: String,
    names: Names,
}

impl Hall {
    /// Shows it here and tells everybody but the one whom it is about.
    fn tell_others(&self, cx: &Context<Chat>, event: &ChatEvent) {
        screen::show(event);
        self.names.tell(cx.server(), Some(cx.peer().id()), event);
    }
}

impl ChatHandler for Hall {
    fn join(&mut self, cx: &Context<Chat>, name: String) -> Result<Vec<String>, JoinError> {
        let name = printable(name.trim());
        if name.is_empty() {
            return Err(JoinError::EmptyName);
        }
        let present = {
            let mut names = self.names.lock();
            if let Some(before) = names.get(&cx.peer().id()) {
                return Err(JoinError::JoinedBefore(before.clone()));
            }
            if name == self.own_name || names.values().any(|taken| *taken == name) {
                return Err(JoinError::NameTaken(name));
            }
            let mut present = vec![self.own_name.clone()];
            present.extend(names.values().cloned());
            names.insert(cx.peer().id(), name.clone());
            present
        };
        self.tell_others(cx, &ChatEvent::Joined { name });
        Ok(present)
    }

    fn say(&mut self, cx: &Context<Chat>, text: String) {
        // Without a name nobody would know who speaks.
        let Some(from) = self.names.lock().get(&cx.peer().id()).cloned() else {
            return;
        };
        self.tell_others(cx, &ChatEvent::Said { from, text });
    }

    fn peer_departed(&mut self, cx: &Context<Chat>, departure: &Departure) {
        let left = self.names.lock().remove(&cx.peer().id());
        // When the server itself stops, its clients learn that from their links.
        if let (Some(name), false) = (left, *departure == Departure::ClosedHere) {
            let why = (*departure != Departure::Closed).then(|| departure.to_string());
            self.tell_others(cx, &ChatEvent::Left { name, why });
        }
    }
}
