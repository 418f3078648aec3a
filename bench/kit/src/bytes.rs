//! Rivals that carry bytes: the same enum through the same codec, on top of a [`Pipe`].

use anyhow::{Result, bail};

use crate::{Checker, Confirmed, Link, Reply, Request, check_reply, decode, encode, stamp};

/// Carries messages of bytes, in order.
pub trait Pipe {
    /// Sends one message. It may be held back until [`flush`](Self::flush).
    ///
    /// # Errors
    /// The other side is gone.
    fn send(&mut self, message: &[u8]) -> Result<()>;

    /// Sends out what is held back.
    ///
    /// # Errors
    /// The other side is gone.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Waits for a message and reads it; `None`: the other side has closed.
    ///
    /// # Errors
    /// The other side is gone.
    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>>;
}

/// A client's link over a pipe.
#[derive(Debug)]
pub struct Typed<P> {
    pipe: P,
    encoded: Vec<u8>,
    blob: Request,
}

impl<P: Pipe> Typed<P> {
    /// Over this pipe.
    pub fn new(pipe: P) -> Self {
        Self { pipe, encoded: Vec::new(), blob: Request::Blob { bytes: Vec::new() } }
    }

    #[inline]
    fn send(&mut self, request: &Request) -> Result<()> {
        self.encoded.clear();
        encode(request, &mut self.encoded)?;
        self.pipe.send(&self.encoded)
    }

    #[inline]
    fn call(&mut self, request: &Request) -> Result<Reply> {
        self.send(request)?;
        self.pipe.flush()?;
        match self.pipe.receive(decode)? {
            Some(reply) => Ok(reply),
            None => bail!("the server closed"),
        }
    }
}

impl<P: Pipe> Link for Typed<P> {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        match self.call(&Request::Ask { number, text: text.into() })? {
            Reply::Told { number: came, text } => check_reply(number, came, text.as_bytes()),
            other => bail!("{other:?} is no answer"),
        }
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        self.send(&Request::Note { number, text: text.into() })
    }

    fn prepare_blob(&mut self, bytes: Vec<u8>) {
        self.blob = Request::Blob { bytes };
    }

    fn blob(&mut self, number: u64) -> Result<()> {
        if let Request::Blob { bytes } = &mut self.blob {
            stamp(bytes, number);
        }
        self.encoded.clear();
        encode(&self.blob, &mut self.encoded)?;
        self.pipe.send(&self.encoded)
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        match self.call(&Request::Confirm { client })? {
            Reply::Confirmed(confirmed) => Ok(confirmed),
            other => bail!("{other:?} is no answer"),
        }
    }
}

/// Serves one client over a pipe until it closes.
///
/// # Errors
/// The client is gone, or what it sent cannot be decoded.
pub fn serve(pipe: &mut impl Pipe, checker: &mut Checker) -> Result<()> {
    let mut encoded = Vec::new();
    while let Some(request) = pipe.receive(decode::<Request>)? {
        if let Some(reply) = checker.handle(request) {
            encoded.clear();
            encode(&reply, &mut encoded)?;
            pipe.send(&encoded)?;
            pipe.flush()?;
        }
    }
    Ok(())
}
