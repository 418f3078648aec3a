//! Bytes by publish-subscribe: with the enum in them, or large payloads in place.

use anyhow::{Context, Result};
use bench_kit::bytes::{Pipe, Typed, serve};
use bench_kit::{Checker, Confirmed, End, Link, Plan, Rival, stamp};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use crate::node::{failed, look, node};

/// Small messages, or blobs, on their way at a time.
const BUFFER: usize = 256;
const BLOBS: usize = 8;
/// The largest small message.
const SMALL: usize = 256;

fn out(node: &Node<ipc::Service>, plan: &Plan, name: &str) -> Result<Out> {
    let service = node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(buffer(plan))
        .open_or_create()
        .map_err(failed)?;
    let publisher = service.publisher_builder();
    let publisher = publisher.initial_max_slice_len(SMALL + plan.workload.blob_size());
    publisher.create().map_err(failed)
}

fn incoming(node: &Node<ipc::Service>, plan: &Plan, name: &str) -> Result<In> {
    let service = node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(buffer(plan))
        .open_or_create()
        .map_err(failed)?;
    service.subscriber_builder().create().map_err(failed)
}

fn buffer(plan: &Plan) -> usize {
    if plan.workload.blob_size() > 0 { BLOBS } else { BUFFER }
}

type Out = Publisher<ipc::Service, [u8], ()>;
type In = Subscriber<ipc::Service, [u8], ()>;

/// Both directions.
pub(crate) struct Slices {
    sender: Out,
    receiver: In,
    end: Option<End>,
    _node: Node<ipc::Service>,
}

impl Slices {
    fn server(plan: &Plan, end: &End) -> Result<Self> {
        let node = node(plan)?;
        let receiver = incoming(&node, plan, "requests")?;
        let sender = out(&node, plan, "replies")?;
        Ok(Self { sender, receiver, end: Some(end.clone()), _node: node })
    }

    fn client(plan: &Plan) -> Result<Self> {
        let node = node(plan)?;
        let receiver = incoming(&node, plan, "replies")?;
        let sender = out(&node, plan, "requests")?;
        Ok(Self { sender, receiver, end: None, _node: node })
    }
}

impl Pipe for Slices {
    #[inline]
    fn send(&mut self, message: &[u8]) -> Result<()> {
        let sample = self.sender.loan_slice_uninit(message.len()).map_err(failed)?;
        sample.write_from_slice(message).send().map_err(failed)?;
        Ok(())
    }

    #[inline]
    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        let sample = look(self.end.as_ref(), || self.receiver.receive().map_err(failed))?;
        sample.map(|sample| read(sample.payload())).transpose()
    }
}

/// The enum as bytes.
pub(crate) struct Encoded;

impl Rival for Encoded {
    type Link = Typed<Slices>;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut slices = Slices::server(plan, end)?;
        end.ready()?;
        serve(&mut slices, &mut Checker::new(plan.workload.blob_size()))
    }

    fn connect(&self, plan: &Plan) -> Result<Typed<Slices>> {
        Ok(Typed::new(Slices::client(plan)?))
    }
}

/// Large payloads: copied into shared memory once, looked at where they lie. A message without
/// bytes asks for the confirmation.
pub(crate) struct InPlace;

impl Rival for InPlace {
    type Link = InPlaceLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut slices = Slices::server(plan, end)?;
        let mut checker = Checker::new(plan.workload.blob_size());
        end.ready()?;
        loop {
            let came = slices.receive(|bytes| {
                if bytes.len() > 1 {
                    checker.blob(bytes);
                    return Ok(None);
                }
                Ok(Some(checker.confirm(0)))
            })?;
            match came {
                Some(Some(Confirmed { count, wrong })) => {
                    slices.send(&[count.to_le_bytes(), wrong.to_le_bytes()].concat())?;
                }
                Some(None) => {}
                None => return Ok(()),
            }
        }
    }

    fn connect(&self, plan: &Plan) -> Result<InPlaceLink> {
        Ok(InPlaceLink { slices: Slices::client(plan)?, blob: Vec::new() })
    }
}

/// The client.
pub(crate) struct InPlaceLink {
    slices: Slices,
    blob: Vec<u8>,
}

impl Link for InPlaceLink {
    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = bytes;
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        stamp(&mut self.blob, number);
        self.slices.send(&self.blob)
    }

    fn confirm(&mut self, _client: u64) -> Result<Confirmed> {
        self.slices.send(&[0])?;
        let number = |bytes: &[u8], at: usize| -> Result<u64> {
            Ok(u64::from_le_bytes(bytes.get(at..at + 8).context("a short reply")?.try_into()?))
        };
        let reply = self.slices.receive(|bytes| {
            Ok(Confirmed { count: number(bytes, 0)?, wrong: number(bytes, 8)? })
        })?;
        reply.context("no reply")
    }
}
