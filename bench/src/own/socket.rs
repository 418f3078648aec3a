//! The socket that one would write by hand: the same enum through the same codec, each message with
//! its length before it. Plain, one system call for each message; batched, with `BufWriter` and
//! `BufReader`.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use anyhow::{Context, Result};
use bench_kit::bytes::{Pipe, Typed, serve};
use bench_kit::{Checker, End, Plan, Rival};

/// What the batched socket collects.
const BATCH: usize = 64 << 10;

/// A Unix socket.
pub(super) struct Socket {
    pub(super) batched: bool,
}

impl Socket {
    fn pipe(&self, stream: UnixStream) -> Result<SocketPipe> {
        let reader = stream.try_clone().context("clone the socket")?;
        let capacity = if self.batched { BATCH } else { 0 };
        Ok(SocketPipe {
            reader: BufReader::with_capacity(capacity, reader),
            writer: BufWriter::with_capacity(capacity, stream),
            batched: self.batched,
            buffer: Vec::new(),
        })
    }
}

impl Rival for Socket {
    type Link = Typed<SocketPipe>;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let listener = UnixListener::bind(plan.file("socket")).context("bind")?;
        end.ready()?;
        for stream in listener.incoming() {
            let mut pipe = self.pipe(stream?)?;
            let mut checker = Checker::new(plan.workload.blob_size());
            thread::spawn(move || {
                // A client that goes away ends its thread; what it missed it notices itself.
                drop(serve(&mut pipe, &mut checker));
            });
        }
        Ok(())
    }

    fn connect(&self, plan: &Plan) -> Result<Typed<SocketPipe>> {
        let stream = UnixStream::connect(plan.file("socket")).context("connect")?;
        Ok(Typed::new(self.pipe(stream)?))
    }
}

/// One side of a connection.
pub(super) struct SocketPipe {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
    batched: bool,
    buffer: Vec<u8>,
}

impl Pipe for SocketPipe {
    #[inline]
    fn send(&mut self, message: &[u8]) -> Result<()> {
        let length = u32::try_from(message.len())?.to_le_bytes();
        if self.batched {
            self.writer.write_all(&length)?;
            self.writer.write_all(message)?;
        } else {
            self.buffer.clear();
            self.buffer.extend_from_slice(&length);
            self.buffer.extend_from_slice(message);
            self.writer.write_all(&self.buffer)?;
        }
        Ok(())
    }

    #[inline]
    fn flush(&mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }

    #[inline]
    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        let mut length = [0; 4];
        match self.reader.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        self.buffer.resize(u32::from_le_bytes(length) as usize, 0);
        self.reader.read_exact(&mut self.buffer)?;
        read(&self.buffer).map(Some)
    }
}
