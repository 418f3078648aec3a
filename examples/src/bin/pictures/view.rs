//! The viewer: takes pictures, answers each with its checksum, and writes the last one to a file.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use shmipc::{Context, Departure, Server};
use shmipc_examples::stop_if_alone;

use crate::pnm::Frame;
use crate::protocol::{Picture, PictureError, PictureHandler, Samples};

/// One frame of 1920×1080 in one piece; larger ones are streamed.
const RING_SIZE: usize = 8 << 20;
/// The largest that the library allows.
const MAX_MESSAGE: usize = 1 << 30;
/// How long a viewer that another process started waits for it.
const PARENT_PATIENCE: Duration = Duration::from_secs(30);

/// Serves pictures; with `once` until the first sender is gone.
///
/// # Errors
/// The name is taken, or shared memory is full.
pub(crate) fn run(name: &str, out: Option<PathBuf>, once: bool) -> Result<()> {
    let viewer = Viewer { out, once, last: None };
    let server =
        Server::<Picture<'static>>::builder(name).ring_size(RING_SIZE).max_message(MAX_MESSAGE);
    let running = server.bind()?.serve(viewer)?;
    if once {
        stop_if_alone(&running, PARENT_PATIENCE)?;
    }
    say(&format!("viewing {name:?}; end with Ctrl-C"));
    Ok(running.join()?)
}

/// Where nobody reads any more, pictures are taken all the same.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

struct Viewer {
    out: Option<PathBuf>,
    once: bool,
    last: Option<Frame>,
}

impl Viewer {
    /// The file to write: the one that was asked for, or one of this process in the temporary
    /// directory.
    fn path(&self, samples: Samples) -> PathBuf {
        let ending = match samples {
            Samples::Gray => "pgm",
            Samples::Rgb => "ppm",
        };
        self.out.clone().unwrap_or_else(|| {
            let name = format!("shmipc-picture-{}.{ending}", std::process::id());
            std::env::temp_dir().join(name)
        })
    }
}

impl PictureHandler for Viewer {
    fn show(
        &mut self,
        _cx: &Context<Picture<'static>>,
        width: u32,
        height: u32,
        samples: Samples,
        pixels: &[u8],
    ) -> Result<u32, PictureError> {
        let (expected, got) = (samples.length(width, height), pixels.len() as u64);
        if expected != got {
            return Err(PictureError::WrongLength { expected, got });
        }
        // The pixels are gone when this returns; the buffer for the last ones is used again.
        let mut kept = self.last.take().map_or_else(Vec::new, |last| last.pixels);
        kept.clear();
        kept.extend_from_slice(pixels);
        self.last = Some(Frame { width, height, samples, pixels: kept });
        let checksum = crc32fast::hash(pixels);
        say(&format!("{width}x{height} {samples:?}, checksum {checksum:08x}"));
        Ok(checksum)
    }

    fn keep(&mut self, _cx: &Context<Picture<'static>>) -> Result<String, PictureError> {
        let last = self.last.as_ref().ok_or(PictureError::NothingShown)?;
        let path = self.path(last.samples);
        let shown = path.display().to_string();
        match last.write(&path) {
            Ok(()) => Ok(shown),
            Err(error) => Err(PictureError::NotWritten { path: shown, why: format!("{error:#}") }),
        }
    }

    fn peer_departed(&mut self, cx: &Context<Picture<'static>>, _departure: &Departure) {
        if self.once {
            cx.server().stop();
        }
    }
}
