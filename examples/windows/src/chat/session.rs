//! One wish to be in a chat, from *Connect* to *Disconnect*: a thread that sees to it.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::news::{MOST_WAITING, News, Order};
use super::{Face, guest, host};
use crate::inbox::{Inbox, Wake, inbox};

/// The window's hold on it.
#[derive(Debug)]
pub(crate) struct Session {
    orders: Sender<Order>,
    inbox: Inbox<News>,
    thread: JoinHandle<()>,
}

impl Session {
    /// Starts it. Nothing of it waits here.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(crate) fn open(face: Face, chat: String, name: String, wake: Wake) -> io::Result<Self> {
        let (teller, inbox) = inbox(MOST_WAITING, wake);
        let (sender, orders) = channel();
        let own_sender = sender.clone();
        let run = move || match face {
            Face::Server => host::run(&chat, &name, &teller, own_sender, &orders),
            Face::Client => guest::run(&chat, &name, &teller, own_sender, &orders),
        };
        let thread = thread::Builder::new().name("session".into()).spawn(run)?;
        Ok(Self { orders: sender, inbox, thread })
    }

    /// Has it say something; what comes of it is told with this id.
    pub(crate) fn say(&self, id: u64, parts: Vec<Vec<String>>) {
        // It has ended: then the window was told so.
        drop(self.orders.send(Order::Say { id, parts }));
    }

    /// What it told since the last time.
    pub(crate) fn news(&self) -> Vec<News> {
        self.inbox.take()
    }

    /// Has it leave, and listens to nothing more. Gives its thread, to be waited for.
    pub(crate) fn close(self) -> JoinHandle<()> {
        drop(self.orders.send(Order::Close));
        self.thread
    }
}
