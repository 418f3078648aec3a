//! ringfire: bytes through its rings, plus the codec. Small messages take its fixed-size slots with
//! back-pressure, large ones its blob ring, whose writer never waits by itself: here it does.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench_kit::bytes::{Pipe, Typed, serve};
use bench_kit::{Checker, End, Plan, Rival, Waiting};
use ringfire::{
    BlobConsumer, BlobProducer, BlobProducerBuilder, BusySpin, FlowControl, FutexWait,
    RingConsumer, RingConsumerBuilder, RingProducer, RingProducerBuilder,
};

/// A slot of the small ring: a byte of length, then the message.
const SLOT: usize = 64;
const SLOTS: u64 = 4096;
/// Blobs on their way at a time.
const BLOBS: u64 = 16;
const PATIENCE: Duration = Duration::from_secs(5);

type Slot = [u8; SLOT];

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Ringfire))
}

/// How its user has it wait.
enum Wait {
    Spin(BusySpin),
    Futex(FutexWait),
}

impl Wait {
    fn of(plan: &Plan) -> Self {
        match plan.workload.waiting() {
            Waiting::Spin => Self::Spin(BusySpin::new()),
            Waiting::Default => Self::Futex(FutexWait::default()),
            Waiting::Sleep => Self::Futex(FutexWait::new(0, None)),
        }
    }
}

enum Sender {
    Small(RingProducer<Slot>),
    Large(BlobProducer<u32>),
}

enum Receiver {
    Small(RingConsumer<Slot>, Wait),
    Large(BlobConsumer<u32>),
}

struct Rings {
    sender: Sender,
    receiver: Receiver,
}

impl Pipe for Rings {
    #[inline]
    fn send(&mut self, message: &[u8]) -> Result<()> {
        match &mut self.sender {
            Sender::Small(ring) => {
                ensure!(message.len() < SLOT, "{} bytes for a slot", message.len());
                let mut slot = [0; SLOT];
                slot[0] = message.len() as u8;
                slot[1..=message.len()].copy_from_slice(message);
                ring.push(&slot);
            }
            Sender::Large(ring) => {
                while ring.headroom() == 0 {
                    std::hint::spin_loop();
                }
                ring.push(&0, message)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        match &mut self.receiver {
            Receiver::Small(ring, wait) => {
                let slot = match wait {
                    Wait::Spin(wait) => ring.recv_blocking(wait),
                    Wait::Futex(wait) => ring.recv_blocking(wait),
                };
                read(&slot[1..=usize::from(slot[0]).min(SLOT - 1)]).map(Some)
            }
            Receiver::Large(ring) => {
                let mut read = Some(read);
                loop {
                    let seen = ring.view(|_, bytes| read.take().map(|read| read(bytes)))?;
                    if let Some(result) = seen.flatten() {
                        return result.map(Some);
                    }
                    std::hint::spin_loop();
                }
            }
        }
    }
}

fn small(plan: &Plan, name: &str) -> Result<RingProducer<Slot>> {
    let builder = RingProducerBuilder::new(SLOTS).flow_control(FlowControl::LosslessBackpressure);
    Ok(builder.build::<Slot, _>(plan.file(name))?)
}

fn attach(plan: &Plan, name: &str) -> Result<RingConsumer<Slot>> {
    Ok(RingConsumerBuilder::<Slot>::new().start_from_head().attach(plan.file(name))?)
}

/// Tries until the other side has come so far.
fn patiently<T>(mut step: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match step() {
            Err(_) if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            other => return other,
        }
    }
}

struct Ringfire;

impl Rival for Ringfire {
    type Link = Typed<Rings>;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let sender = Sender::Small(small(plan, "replies")?);
        end.ready()?;
        let receiver = patiently(|| {
            Ok(if plan.workload.blob_size() > 0 {
                Receiver::Large(BlobConsumer::attach(plan.file("requests"))?)
            } else {
                Receiver::Small(attach(plan, "requests")?, Wait::of(plan))
            })
        })?;
        let mut checker = Checker::new(plan.workload.blob_size());
        serve(&mut Rings { sender, receiver }, &mut checker)
    }

    fn connect(&self, plan: &Plan) -> Result<Typed<Rings>> {
        let receiver = Receiver::Small(attach(plan, "replies")?, Wait::of(plan));
        let path = plan.file("requests");
        let sender = if plan.workload.blob_size() > 0 {
            let room = (2 * BLOBS as usize * plan.workload.blob_size()).next_power_of_two();
            let ring = BlobProducerBuilder::new(BLOBS, room).build::<u32, _>(&path)?;
            patiently(|| {
                ensure!(ring.min_reader_seq().is_some(), "nobody reads the ring");
                Ok(())
            })?;
            Sender::Large(ring)
        } else {
            let ring = small(plan, "requests")?;
            patiently(|| {
                let readers = ring.registry().and_then(|registry| registry.min_reader_seq());
                ensure!(readers.is_some(), "nobody reads the ring");
                Ok(())
            })?;
            Sender::Small(ring)
        };
        Ok(Typed::new(Rings { sender, receiver }))
    }
}
