//! One wish to be connected, from *Connect* to *Disconnect*: a thread that sees to it.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::inbox::{Inbox, Teller, Wake, inbox};

/// Between two looks at threads that shall end.
const LOOK: Duration = Duration::from_millis(2);

/// The window's hold on it: gives orders `O` and gets news `N`. Nothing of it waits.
#[derive(Debug)]
pub struct Session<N, O> {
    orders: Sender<O>,
    inbox: Inbox<N>,
    thread: JoinHandle<()>,
}

/// The thread's side of it.
#[derive(Debug)]
pub struct Desk<N, O> {
    /// Where it tells its news.
    pub teller: Teller<N>,
    /// Where its orders come.
    pub orders: Receiver<O>,
    /// Gives it orders: for the library's threads, which have something to say to it.
    pub sender: Sender<O>,
}

impl<N: Send + 'static, O: Send + 'static> Session<N, O> {
    /// Starts `run` on a thread of its own. News of the weight `most` may wait for the window.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub fn start(
        most: usize,
        wake: Wake,
        run: impl FnOnce(Desk<N, O>) + Send + 'static,
    ) -> io::Result<Self> {
        let (teller, inbox) = inbox(most, wake);
        let (sender, orders) = channel();
        let desk = Desk { teller, orders, sender: sender.clone() };
        let thread = thread::Builder::new().name("session".into()).spawn(move || run(desk))?;
        Ok(Self { orders: sender, inbox, thread })
    }

    /// Gives an order.
    pub fn order(&self, order: O) {
        // It has ended: then the window was told so.
        drop(self.orders.send(order));
    }

    /// What it told since the last time.
    #[must_use]
    pub fn news(&self) -> Vec<N> {
        self.inbox.take()
    }
}

/// Sessions that were told to leave, and may still be about it.
#[derive(Debug, Default)]
pub struct Leaving(Vec<JoinHandle<()>>);

impl Leaving {
    /// Has a session leave, by its last order, and listens to nothing more.
    pub fn add<N, O>(&mut self, session: Session<N, O>, last: O) {
        drop(session.orders.send(last));
        self.0.retain(|thread| !thread.is_finished());
        self.0.push(session.thread);
    }

    /// Waits until all have left, but not longer.
    pub fn wait(&self, patience: Duration) {
        let started = Instant::now();
        while started.elapsed() < patience && self.0.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_session_that_was_closed_tells_nothing_and_ends() {
        let echo = |desk: Desk<u32, u32>| {
            for order in desk.orders {
                desk.teller.tell(order, 1);
                if order == 0 {
                    return;
                }
            }
        };
        let session = Session::start(1, Arc::new(|| {}), echo).expect("there is room");
        session.order(7);
        let mut news = Vec::new();
        while news.is_empty() {
            news = session.news();
            thread::yield_now();
        }
        assert_eq!(news, [7]);
        // More than may wait: its thread waits for the window, and no longer when that is gone.
        (1..5).for_each(|order| session.order(order));
        let mut leaving = Leaving::default();
        leaving.add(session, 0);
        leaving.wait(Duration::from_secs(60));
        assert!(leaving.0.iter().all(JoinHandle::is_finished));
    }
}
