//! A plain struct, by publish-subscribe and by request-response.

use std::time::Duration;

use anyhow::{Context, Result};
use bench_kit::{Checker, Confirmed, End, Link, Plain, Plan, Rival, check_reply};
use iceoryx2::port::client::Client;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use crate::node::{failed, look, node};

/// Messages on their way at a time.
const BUFFER: usize = 256;
/// The longest sleep: the documentation's cycle.
const CYCLE: Duration = Duration::from_secs(1);

/// What a message is for.
const ASK: u64 = 0;
const NOTE: u64 = 1;
const CONFIRM: u64 = 2;

/// The message. In a confirmation `number` counts and `kind` tells how many were wrong.
#[derive(Debug, Clone, Copy, ZeroCopySend)]
#[repr(C)]
pub(crate) struct Message {
    kind: u64,
    number: u64,
    text: [u8; 16],
}

impl Message {
    fn new(kind: u64, number: u64) -> Self {
        let Plain { number, text } = Plain::new(number);
        Self { kind, number, text }
    }
}

/// Answers what wants an answer.
fn handle(checker: &mut Checker, message: &Message) -> Option<Message> {
    match message.kind {
        NOTE => {
            checker.note(message.number, &message.text);
            None
        }
        CONFIRM => {
            let Confirmed { count, wrong } = checker.confirm(message.number);
            Some(Message { kind: wrong, number: count, text: [0; 16] })
        }
        _ => Some(*message),
    }
}

/// One direction's end to send from.
struct Out {
    publisher: Publisher<ipc::Service, Message, ()>,
    notifier: Option<Notifier<ipc::Service>>,
}

/// One direction's end to receive at.
struct In {
    subscriber: Subscriber<ipc::Service, Message, ()>,
    listener: Option<Listener<ipc::Service>>,
}

impl Out {
    fn new(node: &Node<ipc::Service>, name: &str, event: bool) -> Result<Self> {
        let service = node
            .service_builder(&name.try_into()?)
            .publish_subscribe::<Message>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(BUFFER)
            .open_or_create()
            .map_err(failed)?;
        let publisher = service.publisher_builder().create().map_err(failed)?;
        let notifier = if event {
            let event = node.service_builder(&name.try_into()?).event();
            let event = event.open_or_create().map_err(failed)?;
            Some(event.notifier_builder().create().map_err(failed)?)
        } else {
            None
        };
        Ok(Self { publisher, notifier })
    }

    #[inline]
    fn send(&self, message: Message) -> Result<()> {
        let sample = self.publisher.loan_uninit().map_err(failed)?;
        sample.write_payload(message).send().map_err(failed)?;
        if let Some(notifier) = &self.notifier {
            notifier.notify().map_err(failed)?;
        }
        Ok(())
    }
}

impl In {
    fn new(node: &Node<ipc::Service>, name: &str, event: bool) -> Result<Self> {
        let service = node
            .service_builder(&name.try_into()?)
            .publish_subscribe::<Message>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(BUFFER)
            .open_or_create()
            .map_err(failed)?;
        let subscriber = service.subscriber_builder().create().map_err(failed)?;
        let listener = if event {
            let event = node.service_builder(&name.try_into()?).event();
            let event = event.open_or_create().map_err(failed)?;
            Some(event.listener_builder().create().map_err(failed)?)
        } else {
            None
        };
        Ok(Self { subscriber, listener })
    }

    #[inline]
    fn receive(&mut self, end: Option<&End>) -> Result<Option<Message>> {
        let take = |subscriber: &Subscriber<ipc::Service, Message, ()>| {
            Ok(subscriber.receive().map_err(failed)?.map(|sample| *sample))
        };
        let Some(listener) = &mut self.listener else {
            return look(end, || take(&self.subscriber));
        };
        loop {
            if let Some(message) = take(&self.subscriber)? {
                return Ok(Some(message));
            }
            // The end is not waited for here: it ends this process, and the runner clears up.
            listener.timed_wait(|_| {}, CYCLE).map_err(failed)?;
        }
    }
}

/// Publish-subscribe both ways.
pub(crate) struct PubSub {
    pub(crate) event: bool,
}

impl Rival for PubSub {
    type Link = PubSubLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let node = node(plan)?;
        let mut requests = In::new(&node, "requests", self.event)?;
        let replies = Out::new(&node, "replies", self.event)?;
        let mut checker = Checker::default();
        end.ready()?;
        while let Some(message) = requests.receive(Some(end))? {
            if let Some(reply) = handle(&mut checker, &message) {
                replies.send(reply)?;
            }
        }
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<PubSubLink> {
        let node = node(plan)?;
        let replies = In::new(&node, "replies", self.event)?;
        let requests = Out::new(&node, "requests", self.event)?;
        Ok(PubSubLink { requests, replies, _node: node })
    }
}

/// The client's ends.
pub(crate) struct PubSubLink {
    requests: Out,
    replies: In,
    _node: Node<ipc::Service>,
}

impl Link for PubSubLink {
    #[inline]
    fn round_trip(&mut self, number: u64, _text: &str) -> Result<()> {
        self.requests.send(Message::new(ASK, number))?;
        let reply = self.replies.receive(None)?.context("no reply")?;
        check_reply(number, reply.number, &reply.text)
    }

    #[inline]
    fn note(&mut self, number: u64, _text: &str) -> Result<()> {
        self.requests.send(Message::new(NOTE, number))
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        self.requests.send(Message::new(CONFIRM, client))?;
        let reply = self.replies.receive(None)?.context("no reply")?;
        Ok(Confirmed { count: reply.number, wrong: reply.kind })
    }
}

/// Request-response.
pub(crate) struct ReqRes;

impl Rival for ReqRes {
    type Link = ReqResLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let node = node(plan)?;
        let service = node
            .service_builder(&"calls".try_into()?)
            .request_response::<Message, Message>()
            .open_or_create()
            .map_err(failed)?;
        let server = service.server_builder().create().map_err(failed)?;
        end.ready()?;
        while let Some(request) = look(Some(end), || server.receive().map_err(failed))? {
            let message = *request;
            let response = request.loan_uninit().map_err(failed)?;
            response.write_payload(message).send().map_err(failed)?;
        }
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<ReqResLink> {
        let node = node(plan)?;
        let service = node
            .service_builder(&"calls".try_into()?)
            .request_response::<Message, Message>()
            .open_or_create()
            .map_err(failed)?;
        let client = service.client_builder().create().map_err(failed)?;
        Ok(ReqResLink { client, _node: node })
    }
}

/// The client.
pub(crate) struct ReqResLink {
    client: Client<ipc::Service, Message, (), Message, ()>,
    _node: Node<ipc::Service>,
}

impl Link for ReqResLink {
    #[inline]
    fn round_trip(&mut self, number: u64, _text: &str) -> Result<()> {
        let request = self.client.loan_uninit().map_err(failed)?;
        let pending = request.write_payload(Message::new(ASK, number)).send().map_err(failed)?;
        let reply = look(None, || pending.receive().map_err(failed))?.context("no reply")?;
        check_reply(number, reply.number, &reply.text)
    }
}
