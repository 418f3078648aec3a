//! The sender: sends pictures and checks what arrived.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use shmipc::Client;
use shmipc_examples::grouped;

use crate::pnm::Frame;
use crate::protocol::{Picture, PictureClient};

/// How long the viewer may take for one picture.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// What to send.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct What {
    /// Pictures: binary PGM or PPM files (P5 or P6), eight bits a sample. Without any: generated
    /// frames.
    files: Vec<PathBuf>,
    /// Generated frames to send.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Width of the generated frames.
    #[arg(long, default_value_t = 1920, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    width: u32,
    /// Height of the generated frames.
    #[arg(long, default_value_t = 1080, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    height: u32,
}

impl What {
    /// Each picture in turn, so that only one is in memory.
    fn frames(&self) -> Box<dyn Iterator<Item = Result<Frame>> + '_> {
        if self.files.is_empty() {
            let numbers = 0..self.frames;
            Box::new(numbers.map(|number| Ok(Frame::generated(number, self.width, self.height))))
        } else {
            Box::new(self.files.iter().map(|path| Frame::read(path)))
        }
    }
}

/// Sends all pictures, has the viewer keep the last one, and prints what came of it.
///
/// # Errors
/// A file is no picture that can be sent, a checksum differs, or the viewer is gone.
pub(crate) fn run(viewer: &Client<Picture<'static>>, what: &What) -> Result<()> {
    let (mut frames, mut bytes) = (0_u64, 0_u64);
    let mut took = Duration::ZERO;
    for frame in what.frames() {
        let frame = frame?;
        let own = crc32fast::hash(&frame.pixels);
        let started = Instant::now();
        let reply = viewer.show(frame.width, frame.height, frame.samples, &frame.pixels);
        took += started.elapsed();
        frames += 1;
        let arrived = reply
            .with_context(|| format!("cannot show picture {frames}"))?
            .with_context(|| format!("the viewer did not show picture {frames}"))?;
        ensure!(
            arrived == own,
            "picture {frames} arrived with checksum {arrived:08x}, it left with {own:08x}"
        );
        bytes += frame.pixels.len() as u64;
    }
    let kept = viewer.keep()?.context("the viewer did not keep the last")?;
    let speed = bytes as f64 / took.as_secs_f64() / 1e9;
    writeln!(
        io::stdout(),
        "{frames} pictures, {} bytes of pixels, shown and answered in {took:.2?}: {speed:.2} GB/s\n\
         {frames} checksums verified\n\
         the last one is in {kept}",
        grouped(bytes)
    )?;
    Ok(())
}
