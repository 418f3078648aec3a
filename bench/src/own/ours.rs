//! The library that all this is about, as its documentation has it used.

use std::time::Duration;

use anyhow::Result;
use bench_kit::{
    Checker, Confirmed, End, Link, Plan, Rival, Waiting, Workload, check_reply, stamp,
};
use serde::{Deserialize, Serialize};
use shmipc::{Client, ClientBuilder, Context, Doorbell, Server, ServerBuilder, ShmMessage};

/// The protocol with owned values.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Owned {
    #[shm(reply = (u64, String))]
    Ask {
        number: u64,
        text: String,
    },
    Note {
        number: u64,
        text: String,
    },
    Blob {
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    #[shm(reply = (u64, u64))]
    Confirm {
        client: u64,
    },
}

/// The same protocol, decoded by borrowing from the receive buffer.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Borrowed<'a> {
    #[shm(reply = (u64, String))]
    Ask {
        number: u64,
        text: &'a str,
    },
    Note {
        number: u64,
        text: &'a str,
    },
    Blob {
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    #[shm(reply = (u64, u64))]
    Confirm {
        client: u64,
    },
}

/// One handler for both.
struct Handler(Checker);

impl OwnedHandler for Handler {
    fn ask(&mut self, _cx: &Context<Owned>, number: u64, text: String) -> (u64, String) {
        (number, text)
    }
    fn note(&mut self, _cx: &Context<Owned>, number: u64, text: String) {
        self.0.note(number, text.as_bytes());
    }
    fn blob(&mut self, _cx: &Context<Owned>, bytes: Vec<u8>) {
        self.0.blob(&bytes);
    }
    fn confirm(&mut self, _cx: &Context<Owned>, client: u64) -> (u64, u64) {
        let Confirmed { count, wrong } = self.0.confirm(client);
        (count, wrong)
    }
}

impl BorrowedHandler for Handler {
    fn ask(&mut self, _cx: &Context<Borrowed<'static>>, number: u64, text: &str) -> (u64, String) {
        (number, text.into())
    }
    fn note(&mut self, _cx: &Context<Borrowed<'static>>, number: u64, text: &str) {
        self.0.note(number, text.as_bytes());
    }
    fn blob(&mut self, _cx: &Context<Borrowed<'static>>, bytes: &[u8]) {
        self.0.blob(bytes);
    }
    fn confirm(&mut self, _cx: &Context<Borrowed<'static>>, client: u64) -> (u64, u64) {
        let Confirmed { count, wrong } = self.0.confirm(client);
        (count, wrong)
    }
}

/// How long `rtt-spin` looks before it sleeps: longer than any pause of a running peer.
const SPIN: Duration = Duration::from_secs(1);

/// Bytes in a ring for large messages, as the docs of `ring_size` advise.
const BLOB_RING: usize = 8 << 20;

fn server_builder<P: ShmMessage>(plan: &Plan) -> ServerBuilder<P> {
    let builder = Server::<P>::builder(&plan.name);
    let builder = match plan.workload.waiting() {
        Waiting::Spin => builder.spin(SPIN),
        Waiting::Default => builder,
        Waiting::Sleep => builder.spin(Duration::ZERO),
    };
    match plan.workload {
        Workload::IdleLinks => builder.max_links(plan.idle_links + 8),
        // As the docs of `ring_size` advise for large messages.
        Workload::Blob64k | Workload::Blob1m => builder.ring_size(BLOB_RING),
        _ => builder,
    }
}

fn client_builder<P: ShmMessage>(plan: &Plan) -> ClientBuilder<P> {
    let builder = Client::<P>::builder(&plan.name).deadline(Duration::from_secs(10));
    match plan.workload.waiting() {
        Waiting::Spin => builder.spin(SPIN),
        Waiting::Default => builder,
        Waiting::Sleep => builder.spin(Duration::ZERO),
    }
}

/// Clears away what a server that had to be killed has left under its name.
pub(super) fn clear(name: &str) {
    // An error means that there is nothing to clear.
    drop(Server::<Owned>::bind(name));
    drop(Server::<Borrowed>::bind(name));
}

/// The library with owned values.
#[derive(Debug, Default)]
pub(super) struct Owning {
    pub(super) no_checksums: bool,
    pub(super) event: bool,
}

impl Rival for Owning {
    type Link = OwnedLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut builder = server_builder::<Owned>(plan);
        if self.no_checksums {
            builder = builder.checksums(false);
        }
        if self.event {
            builder = builder.doorbell(Doorbell::Event);
        }
        let running = builder.bind()?.serve(Handler(Checker::new(plan.workload.blob_size())))?;
        end.ready()?;
        end.wait();
        Ok(running.stop()?)
    }

    fn connect(&self, plan: &Plan) -> Result<OwnedLink> {
        let client = client_builder::<Owned>(plan).connect()?;
        Ok(OwnedLink { client, blob: Owned::Blob { bytes: Vec::new() } })
    }
}

/// A client that sends owned values.
pub(super) struct OwnedLink {
    client: Client<Owned>,
    blob: Owned,
}

impl Link for OwnedLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let (came, came_text) = self.client.ask(number, text.into())?;
        check_reply(number, came, came_text.as_bytes())
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        Ok(self.client.note(number, text.into())?)
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = Owned::Blob { bytes };
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        if let Owned::Blob { bytes } = &mut self.blob {
            stamp(bytes, number);
        }
        Ok(self.client.send(&self.blob)?)
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        let (count, wrong) = self.client.confirm(client)?;
        Ok(Confirmed { count, wrong })
    }
}

/// The library with borrowed values.
#[derive(Debug, Default)]
pub(super) struct Borrowing {
    pub(super) no_checksums: bool,
}

impl Rival for Borrowing {
    type Link = BorrowedLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut builder = server_builder::<Borrowed>(plan);
        if self.no_checksums {
            builder = builder.checksums(false);
        }
        let running = builder.bind()?.serve(Handler(Checker::new(plan.workload.blob_size())))?;
        end.ready()?;
        end.wait();
        Ok(running.stop()?)
    }

    fn connect(&self, plan: &Plan) -> Result<BorrowedLink> {
        let client = client_builder::<Borrowed>(plan).connect()?;
        Ok(BorrowedLink { client, blob: Vec::new() })
    }
}

/// A client whose messages borrow.
pub(super) struct BorrowedLink {
    client: Client<Borrowed<'static>>,
    blob: Vec<u8>,
}

impl Link for BorrowedLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let (came, came_text) = self.client.ask(number, text)?;
        check_reply(number, came, came_text.as_bytes())
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        Ok(self.client.note(number, text)?)
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = bytes;
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        stamp(&mut self.blob, number);
        Ok(self.client.blob(&self.blob)?)
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        let (count, wrong) = self.client.confirm(client)?;
        Ok(Confirmed { count, wrong })
    }
}
