//! The shmipc of cloudwego: bytes through its streams, plus the codec. With the mode that its
//! documentation recommends for small messages (V4, eventfd). It has no back-pressure: once its
//! buffers run out it falls back to its socket, for good. So a sender of notices waits for a
//! confirmation now and then.

use std::os::unix::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_kit::bytes::{Pipe, Typed, serve};
use bench_kit::{Checker, Confirmed, End, Link, Plan, Rival};
use cloudwego::buffer::BufferReader;
use cloudwego::config::{Config, SizePercentPair};
use cloudwego::session::{SessionManager, SessionManagerConfig};
use cloudwego::stream::Stream;
use cloudwego::transport::{DefaultUnixConnect, DefaultUnixListen};
use cloudwego::{Error, Listener};
use tokio::runtime::{Handle, Runtime};

/// Blobs and small notices on their way at a time.
const BLOBS: u32 = 16;
const NOTES: u32 = 4096;
/// Shared memory for buffers.
const ROOM: u32 = 64 << 20;

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Cloudwego))
}

fn config(plan: &Plan) -> Config {
    let mut config = Config::default().with_v4_eventfd();
    config.queue_cap = 8192;
    config.share_memory_buffer_cap = ROOM;
    // Buffers that fit the messages: once they run out, it falls back to its socket for good.
    let size = (plan.workload.blob_size() as u32).max(256) + 256;
    config.buffer_slice_sizes =
        vec![SizePercentPair { size, percent: 90 }, SizePercentPair { size: 4096, percent: 10 }];
    config
}

fn address(plan: &Plan) -> Result<SocketAddr> {
    SocketAddr::from_pathname(plan.file("socket")).context("the socket's path")
}

struct Cloudwego;

impl Rival for Cloudwego {
    type Link = Windowed;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let runtime = Runtime::new()?;
        let listening = Listener::new(DefaultUnixListen, address(plan)?, config(plan));
        let mut listener = runtime.block_on(listening)?;
        end.ready()?;
        loop {
            let stream = runtime.block_on(listener.accept())?;
            let mut pipe = StreamPipe { handle: runtime.handle().clone(), stream, keep: None };
            let mut checker = Checker::new(plan.workload.blob_size());
            // A client that goes away ends its thread.
            std::thread::spawn(move || drop(serve(&mut pipe, &mut checker)));
        }
    }

    fn connect(&self, plan: &Plan) -> Result<Windowed> {
        let runtime = Runtime::new()?;
        let config = SessionManagerConfig::new().with_config(config(plan)).with_session_num(1);
        let connecting = SessionManager::new(config, DefaultUnixConnect, address(plan)?);
        let manager = runtime.block_on(connecting)?;
        let stream = manager.get_stream()?;
        let handle = runtime.handle().clone();
        let link = Typed::new(StreamPipe { handle, stream, keep: Some((manager, runtime)) });
        let window = if plan.workload.blob_size() > 0 { BLOBS } else { NOTES };
        Ok(Windowed { link, window, open: 0 })
    }
}

/// A link that lets only so many notices be on their way.
struct Windowed {
    link: Typed<StreamPipe>,
    window: u32,
    open: u32,
}

impl Windowed {
    fn count(&mut self) -> Result<()> {
        self.open += 1;
        if self.open >= self.window {
            self.link.confirm(0)?;
            self.open = 0;
        }
        Ok(())
    }
}

impl Link for Windowed {
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        self.link.round_trip(number, text)
    }

    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        self.link.note(number, text)?;
        self.count()
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.link.prepare_blob(bytes);
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        self.link.blob(number)?;
        self.count()
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        self.link.confirm(client)
    }
}

struct StreamPipe {
    handle: Handle,
    stream: Stream,
    keep: Option<(SessionManager<DefaultUnixConnect>, Runtime)>,
}

impl Drop for StreamPipe {
    fn drop(&mut self) {
        if let Some((_manager, runtime)) = self.keep.take() {
            // Its orderly close takes seconds, and what was sent is confirmed.
            runtime.shutdown_background();
        }
    }
}

impl Pipe for StreamPipe {
    fn send(&mut self, message: &[u8]) -> Result<()> {
        let length = u32::try_from(message.len())?.to_le_bytes();
        self.stream.write_bytes(&length)?;
        self.stream.write_bytes(message)?;
        self.handle.block_on(async {
            loop {
                match self.stream.flush(false).await {
                    Err(Error::QueueFull) => tokio::time::sleep(Duration::from_micros(1)).await,
                    other => return Ok(other?),
                }
            }
        })
    }

    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        self.handle.block_on(async {
            let length = match self.stream.read_exact_bytes(4).await {
                Ok(bytes) => u32::from_le_bytes(bytes[..4].try_into()?),
                Err(Error::EndOfStream | Error::StreamClosed) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let bytes = self.stream.read_exact_bytes(length as usize).await?;
            let value = read(&bytes)?;
            drop(bytes);
            self.stream.recv_buf().release_previous_read();
            Ok(Some(value))
        })
    }
}
