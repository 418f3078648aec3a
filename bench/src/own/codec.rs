//! The codec's limit: encoding and decoding with nothing in between, in one process.

use std::hint::black_box;

use anyhow::{Result, bail};
use bench_kit::{
    Checker, Confirmed, End, Link, Plan, Reply, Request, Rival, check_reply, decode, encode, stamp,
};

/// The codec alone. It has no server.
pub(super) struct Codec;

impl Rival for Codec {
    type Link = CodecLink;

    fn serve(&self, _plan: &Plan, _end: &End) -> Result<()> {
        bail!("the codec alone has no server")
    }

    fn connect(&self, plan: &Plan) -> Result<CodecLink> {
        let checker = Checker::new(plan.workload.blob_size());
        let blob = Request::Blob { bytes: Vec::new() };
        Ok(CodecLink { encoded: Vec::new(), checker, blob })
    }
}

/// Both sides at once.
pub(super) struct CodecLink {
    encoded: Vec<u8>,
    checker: Checker,
    blob: Request,
}

impl CodecLink {
    #[inline]
    fn pass(&mut self, request: &Request) -> Result<Option<Reply>> {
        self.encoded.clear();
        encode(request, &mut self.encoded)?;
        Ok(self.checker.handle(decode(black_box(&self.encoded))?))
    }
}

impl Link for CodecLink {
    #[inline]
    fn round_trip(&mut self, number: u64, text: &str) -> Result<()> {
        let reply = self.pass(&Request::Ask { number, text: text.into() })?;
        self.encoded.clear();
        encode(&reply, &mut self.encoded)?;
        match decode(black_box(&self.encoded))? {
            Some(Reply::Told { number: came, text }) => check_reply(number, came, text.as_bytes()),
            other => bail!("{other:?} is no answer"),
        }
    }

    #[inline]
    fn note(&mut self, number: u64, text: &str) -> Result<()> {
        self.pass(&Request::Note { number, text: text.into() })?;
        Ok(())
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
        self.checker.handle(decode(black_box(&self.encoded))?);
        Ok(())
    }

    fn confirm(&mut self, client: u64) -> Result<Confirmed> {
        Ok(self.checker.confirm(client))
    }
}
