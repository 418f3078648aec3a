//! ipmpsc: typed messages through its shared ring buffers, one for requests and one for each
//! client's replies.

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bench_kit::{
    Checker, Confirmed, End, Link, Plan, Reply, Request, Rival, Role, check_reply, stamp,
};
use ipmpsc::{Receiver, Sender, SharedRingBuffer};
use serde::{Deserialize, Serialize};

/// Room for small messages, and for so many blobs.
const ROOM: usize = 256 << 10;
const BLOBS: usize = 8;

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Ipmpsc { borrowed: plan.peer == "ipmpsc-borrowed" }))
}

/// The blob as its documentation has large messages: decoded in place.
#[derive(Serialize, Deserialize)]
enum Borrowed<'a> {
    Blob {
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    Confirm {
        client: u64,
    },
}

struct Ipmpsc {
    borrowed: bool,
}

fn create(path: &Path, plan: &Plan) -> Result<SharedRingBuffer> {
    let room = ROOM.max(BLOBS * plan.workload.blob_size());
    let path = path.to_str().context("a path that is no text")?;
    Ok(SharedRingBuffer::create(path, u32::try_from(room)?)?)
}

fn open(path: &Path) -> Result<Sender> {
    let path = path.to_str().context("a path that is no text")?;
    Ok(Sender::new(SharedRingBuffer::open(path)?))
}

/// The clients' reply rings, opened when they are first used.
struct Replies<'p> {
    plan: &'p Plan,
    open: HashMap<u64, Sender>,
}

impl Replies<'_> {
    fn send(&mut self, client: u64, reply: &Reply) -> Result<()> {
        if !self.open.contains_key(&client) {
            let sender = open(&self.plan.file(&format!("replies-{client}")))?;
            self.open.insert(client, sender);
        }
        Ok(self.open[&client].send(reply)?)
    }
}

impl Rival for Ipmpsc {
    type Link = IpmpscLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut requests = Receiver::new(create(&plan.file("requests"), plan)?);
        let mut replies = Replies { plan, open: HashMap::new() };
        let mut checker = Checker::new(plan.workload.blob_size());
        end.ready()?;
        if self.borrowed {
            loop {
                match requests.zero_copy_context().recv::<Borrowed<'_>>()? {
                    Borrowed::Blob { bytes } => checker.blob(bytes),
                    Borrowed::Confirm { client } => {
                        let confirmed = checker.confirm(client);
                        replies.send(client, &Reply::Confirmed(confirmed))?;
                    }
                }
            }
        }
        loop {
            let request = requests.recv::<Request>()?;
            let client = if let Request::Confirm { client } = &request { *client } else { 0 };
            if let Some(reply) = checker.handle(request) {
                replies.send(client, &reply)?;
            }
        }
    }

    fn connect(&self, plan: &Plan) -> Result<IpmpscLink> {
        let client = if let Role::Client(client) = plan.role { client } else { 0 };
        let replies = create(&plan.file(&format!("replies-{client}")), plan)?;
        Ok(IpmpscLink {
            requests: open(&plan.file("requests"))?,
            replies: Receiver::new(replies),
            blob: Request::Blob { bytes: Vec::new() },
            borrowed: self.borrowed,
        })
    }
}

struct IpmpscLink {
    requests: Sender,
    replies: Receiver,
    blob: Request,
    borrowed: bool,
}

impl Link for IpmpscLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        self.requests.send(&Request::Ask { number, text: text.into() })?;
        match self.replies.recv::<Reply>()? {
            Reply::Told { number: came, text } => check_reply(number, came, text.as_bytes()),
            other => bail!("{other:?} is no answer"),
        }
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        Ok(self.requests.send(&Request::Note { number, text: text.into() })?)
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = Request::Blob { bytes };
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        let Request::Blob { bytes } = &mut self.blob else { bail!("no blob") };
        stamp(bytes, number);
        if self.borrowed {
            self.requests.send(&Borrowed::Blob { bytes })?;
        } else {
            self.requests.send(&self.blob)?;
        }
        Ok(())
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        if self.borrowed {
            self.requests.send(&Borrowed::Confirm { client })?;
        } else {
            self.requests.send(&Request::Confirm { client })?;
        }
        match self.replies.recv::<Reply>()? {
            Reply::Confirmed(confirmed) => Ok(confirmed),
            other => bail!("{other:?} is no answer"),
        }
    }
}
