//! Round trips of one client beside others' large messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use bench_kit::{End, Link, Plan, Rival, Role, check_reply};
use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Server, ShmMessage};

/// Bytes one by one, as they are without `serde_bytes`: a large value takes its time.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = SideEvent)]
enum Side {
    #[shm(reply = (u64, String))]
    Ask {
        number: u64,
        text: String,
    },
    Large {
        bytes: Vec<u8>,
    },
}

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum SideEvent {
    Large { bytes: Vec<u8> },
}

/// What the other threads do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// One of the server's encodes, and sends nothing.
    Encoding,
    /// It sends events to another client, which reads at once.
    Reader,
    /// Or pauses after each.
    Slow,
    /// Or does not read.
    Unread,
    /// Two of the client's encode, and send nothing.
    OwnEncoding,
    /// They send notices over the same client.
    OwnSenders,
}

/// How long the slow reader pauses.
const PAUSE: Duration = Duration::from_millis(20);

/// The library beside itself.
#[derive(Debug)]
pub(super) struct Beside(pub(super) Case);

struct Echo;

impl SideHandler for Echo {
    fn ask(&mut self, _cx: &Context<Side>, number: u64, text: String) -> (u64, String) {
        (number, text)
    }

    fn large(&mut self, _cx: &Context<Side>, bytes: Vec<u8>) {
        drop(bytes);
    }
}

/// A thread that does something again and again, until this is dropped.
struct Busy(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Busy {
    fn start(mut act: impl FnMut() + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let act = move || {
            while !told.load(Ordering::Relaxed) {
                act();
            }
        };
        Self(ends, Some(thread::spawn(act)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        drop(self.1.take().map(JoinHandle::join));
    }
}

fn bytes(plan: &Plan) -> Vec<u8> {
    (0..plan.large).map(|index| index as u8).collect()
}

fn encode_only(value: impl Serialize + Send + 'static) -> Busy {
    let mut bytes = Vec::new();
    Busy::start(move || {
        bytes.clear();
        let config = bincode::config::legacy();
        // Into memory, which takes all there is.
        drop(bincode::serde::encode_into_std_write(&value, &mut bytes, config));
        std::hint::black_box(&bytes);
    })
}

impl Rival for Beside {
    type Link = SideLink;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let running = Server::<Side>::bind(&plan.name)?.serve(Echo)?;
        end.ready()?;
        let event = SideEvent::Large { bytes: bytes(plan) };
        let handle = running.handle();
        let busy = match self.0 {
            Case::OwnEncoding | Case::OwnSenders => None,
            Case::Encoding => Some(encode_only(event)),
            Case::Reader | Case::Slow | Case::Unread => Some(Busy::start(move || {
                // The first is the one that is linked before who measures.
                match handle.peer(1) {
                    Some(peer) => drop(peer.send(&event)),
                    None => thread::sleep(Duration::from_millis(1)),
                }
            })),
        };
        end.wait();
        drop(busy);
        Ok(running.stop()?)
    }

    fn connect(&self, plan: &Plan) -> Result<SideLink> {
        let builder = Client::<Side>::builder(&plan.name).deadline(Duration::from_secs(10));
        let case = self.0;
        if let Role::Bystander(_) = plan.role {
            let builder = builder.on_event(move |event: SideEvent| {
                std::hint::black_box(&event);
                match case {
                    Case::Slow => thread::sleep(PAUSE),
                    Case::Unread => loop {
                        thread::park();
                    },
                    _ => {}
                }
            });
            return Ok(SideLink { client: builder.connect()?, _busy: Vec::new() });
        }
        let client = builder.connect()?;
        let busy = (0..2).filter_map(|_| {
            let value = Side::Large { bytes: bytes(plan) };
            match case {
                Case::OwnEncoding => Some(encode_only(value)),
                Case::OwnSenders => {
                    let client = client.clone();
                    Some(Busy::start(move || drop(client.send(&value))))
                }
                _ => None,
            }
        });
        let busy = busy.collect();
        Ok(SideLink { client, _busy: busy })
    }
}

/// A client that measures, with its other threads.
pub(super) struct SideLink {
    client: Client<Side>,
    _busy: Vec<Busy>,
}

impl Link for SideLink {
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let (came, came_text) = self.client.ask(number, text.into())?;
        check_reply(number, came, came_text.as_bytes())
    }
}
