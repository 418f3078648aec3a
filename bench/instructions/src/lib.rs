//! What the cases of `benches/messages.rs` send: how much of what, and to whom.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Running, Server, ShmMessage};

/// Small messages of one case.
pub const SMALL: u64 = 1000;
/// Requests of one case that are answered when nobody waits any more.
pub const LATE: u64 = 200;
/// Large messages of one case.
pub const LARGE: u64 = 32;
/// Bytes of a large one.
pub const LARGE_SIZE: usize = 64 << 10;
/// Holds all messages of a case, so that no sender waits for room.
const RING: usize = 4 << 20;
/// What a small message carries.
pub const TEXT: &str = "sixteen letters!";

/// The typed message of the bench, borrowed, and a gate that keeps the server busy.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Work<'a> {
    /// A notice.
    Note {
        /// Which.
        number: u64,
        /// [`TEXT`].
        text: &'a str,
    },
    /// A request.
    #[shm(reply = u64)]
    Ask {
        /// Which.
        number: u64,
        /// [`TEXT`].
        text: &'a str,
    },
    /// A large notice.
    Blob {
        /// [`LARGE_SIZE`] of them.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// Keeps the server until the gate is opened.
    Gate,
    /// Everything before it was handled.
    #[shm(reply = ())]
    Sync,
}

unsafe extern "C" {
    fn instructions_toggle_collect();
}

/// Has callgrind begin, or cease, to count this thread. Nothing without callgrind.
pub fn toggle_collect() {
    // SAFETY: a few instructions without effect, which callgrind knows (`toggle.c`).
    unsafe { instructions_toggle_collect() }
}

/// Handles [`Work`]; `toggle` is called with the first and with the last message of a case, on the
/// listener's thread.
struct Worker {
    toggle: fn(),
    messages: u64,
    left: u64,
    entered: SyncSender<()>,
    opened: Receiver<()>,
}

impl Worker {
    fn count(&mut self) {
        if self.left == self.messages || self.left == 1 {
            (self.toggle)();
        }
        self.left = self.left.saturating_sub(1);
    }
}

type Cx = Context<Work<'static>>;

impl WorkHandler for Worker {
    fn note(&mut self, _cx: &Cx, number: u64, text: &str) {
        std::hint::black_box((number, text));
        self.count();
    }

    fn ask(&mut self, _cx: &Cx, number: u64, text: &str) -> u64 {
        std::hint::black_box(text);
        self.count();
        number
    }

    fn blob(&mut self, _cx: &Cx, bytes: &[u8]) {
        std::hint::black_box(bytes);
        self.count();
    }

    fn gate(&mut self, _cx: &Cx) {
        // Both ends fail only when the case is over.
        let _ = self.entered.send(());
        let _ = self.opened.recv();
    }

    fn sync(&mut self, _cx: &Cx) {}
}

/// A server and a client of it, in one process; the server is kept busy until the gate is opened,
/// so that nobody wakes, spins or waits while messages are sent, nor while they are taken.
#[allow(missing_debug_implementations)]
pub struct Pair {
    /// The client.
    pub client: Client<Work<'static>>,
    running: Running<Work<'static>>,
    entered: Receiver<()>,
    open: SyncSender<()>,
}

impl Pair {
    /// A linked pair.
    ///
    /// # Panics
    /// Without shared memory nothing can be counted.
    #[must_use]
    pub fn new(messages: u64, toggle: fn()) -> Self {
        let (entered, entered_here) = sync_channel(1);
        let (open, opened) = sync_channel(1);
        let worker = Worker { toggle, messages, left: messages, entered, opened };
        let name = format!("instructions-{}", std::process::id());
        // Nobody spins: how often would depend on the machine.
        let server = Server::<Work<'static>>::builder(&name).ring_size(RING).spin(Duration::ZERO);
        let running = server.bind().expect("a free name").serve(worker).expect("a thread");
        let client = Client::builder(&name).spin(Duration::ZERO).deadline(Duration::from_secs(60));
        let client = client.connect().expect("a server that was just started");
        Self { client, running, entered: entered_here, open }
    }

    /// Keeps the server busy from here on.
    pub fn close_gate(&self) {
        self.client.gate().expect("a server");
        let _ = self.entered.recv();
    }

    /// Lets the server go on and waits until it has handled everything.
    pub fn open_gate(self) -> Self {
        let _ = self.open.send(());
        self.client.sync().expect("a server");
        self
    }

    /// Ends both.
    pub fn end(self) {
        drop(self.client);
        self.running.stop().expect("no panic in the listener");
    }

    /// Sends small notices.
    pub fn send_notes(&self) {
        for number in 0..SMALL {
            self.client.note(number, TEXT).expect("room");
        }
    }

    /// Sends large notices.
    pub fn send_blobs(&self, bytes: &[u8]) {
        for _ in 0..LARGE {
            self.client.blob(bytes).expect("room");
        }
    }

    /// Sends small requests to a server that is busy, and does not wait for their replies.
    pub fn send_requests(&self) {
        let hasty = self.client.with_deadline(Duration::from_millis(1));
        for number in 0..LATE {
            assert!(hasty.ask(number, TEXT).is_err(), "the gate is open");
        }
    }

    /// Makes small calls.
    pub fn call(&self) {
        for number in 0..SMALL {
            assert_eq!(self.client.ask(number, TEXT).expect("a reply"), number);
        }
    }
}
