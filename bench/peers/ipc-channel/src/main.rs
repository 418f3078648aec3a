//! ipc-channel: typed channels, exchanged through one one-shot server for each client; large
//! payloads through its byte channel where the peer's name says so.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bench_kit::{
    Checker, Confirmed, End, Link, Plan, Reply, Request, Rival, Role, check_reply, stamp,
};
use ipc_channel::ipc::{
    self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender,
};
use serde::{Deserialize, Serialize};

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&IpcChannel { bytes: plan.peer == "ipc-channel-bytes" }))
}

/// The first message of a client: its channels.
#[derive(Serialize, Deserialize)]
struct Hello {
    requests: IpcReceiver<Request>,
    blobs: IpcBytesReceiver,
    replies: IpcSender<Reply>,
}

struct IpcChannel {
    bytes: bool,
}

fn serve_one(server: IpcOneShotServer<Hello>, bytes: bool, blob_size: usize) -> Result<()> {
    let (_keep, Hello { requests, blobs, replies }) = server.accept()?;
    let mut checker = Checker::new(blob_size);
    if bytes {
        loop {
            let blob = blobs.recv()?;
            if blob.is_empty() {
                replies.send(Reply::Confirmed(checker.confirm(0)))?;
            } else {
                checker.blob(&blob);
            }
        }
    }
    loop {
        if let Some(reply) = checker.handle(requests.recv()?) {
            replies.send(reply)?;
        }
    }
}

impl Rival for IpcChannel {
    type Link = IpcLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        for client in 0..plan.clients {
            let (server, name) = IpcOneShotServer::<Hello>::new()?;
            fs::write(plan.file(&format!("name-{client}")), name)?;
            let (bytes, size) = (self.bytes, plan.workload.blob_size());
            // A client that goes away ends its thread.
            thread::spawn(move || drop(serve_one(server, bytes, size)));
        }
        end.ready()?;
        end.wait();
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<IpcLink> {
        let client = if let Role::Client(client) = plan.role { client } else { 0 };
        let path = plan.file(&format!("name-{client}"));
        let started = Instant::now();
        while !path.exists() {
            ensure!(started.elapsed() < PATIENCE, "no one-shot server");
            thread::sleep(Duration::from_millis(1));
        }
        let hello = IpcSender::<Hello>::connect(fs::read_to_string(path)?)?;
        let (requests, request_receiver) = ipc::channel()?;
        let (blobs, blob_receiver) = ipc::bytes_channel()?;
        let (reply_sender, replies) = ipc::channel()?;
        hello.send(Hello {
            requests: request_receiver,
            blobs: blob_receiver,
            replies: reply_sender,
        })?;
        let blob = Vec::new();
        Ok(IpcLink { _hello: hello, requests, blobs, replies, blob, bytes: self.bytes })
    }
}

struct IpcLink {
    _hello: IpcSender<Hello>,
    requests: IpcSender<Request>,
    blobs: IpcBytesSender,
    replies: IpcReceiver<Reply>,
    blob: Vec<u8>,
    bytes: bool,
}

impl Link for IpcLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        self.requests.send(Request::Ask { number, text: text.into() })?;
        match self.replies.recv()? {
            Reply::Told { number: came, text } => check_reply(number, came, text.as_bytes()),
            other => bail!("{other:?} is no answer"),
        }
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        Ok(self.requests.send(Request::Note { number, text: text.into() })?)
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = bytes;
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        stamp(&mut self.blob, number);
        if self.bytes {
            self.blobs.send(&self.blob)?;
        } else {
            // It takes the message for itself, so a sender that keeps its data copies it.
            self.requests.send(Request::Blob { bytes: self.blob.clone() })?;
        }
        Ok(())
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        if self.bytes {
            self.blobs.send(&[])?;
        } else {
            self.requests.send(Request::Confirm { client })?;
        }
        match self.replies.recv()? {
            Reply::Confirmed(confirmed) => Ok(confirmed),
            other => bail!("{other:?} is no answer"),
        }
    }
}
