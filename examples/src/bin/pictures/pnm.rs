//! Pictures from files and to files: binary PGM and PPM, and frames without a file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use image::codecs::pnm::{PnmDecoder, PnmEncoder, PnmSubtype, SampleEncoding};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder};

use crate::protocol::Samples;

/// Largest picture in bytes, a little below the largest message: a file's header may claim
/// anything.
const MAXIMUM: u64 = (1 << 30) - (1 << 10);

/// A picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) samples: Samples,
    pub(crate) pixels: Vec<u8>,
}

impl Frame {
    /// The `number`th frame of a moving gradient.
    pub(crate) fn generated(number: u32, width: u32, height: u32) -> Self {
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                // The low byte of each is what moves.
                let moving = [x.wrapping_add(number), y.wrapping_sub(number), x ^ y];
                pixels.extend(moving.map(|value| value.to_le_bytes()[0]));
            }
        }
        Self { width, height, samples: Samples::Rgb, pixels }
    }

    /// Reads a file of the kind P5 or P6.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::decode(path).with_context(|| {
            format!("cannot read {} as a binary PGM or PPM picture (P5 or P6)", path.display())
        })
    }

    fn decode(path: &Path) -> Result<Self> {
        let decoder = PnmDecoder::new(BufReader::new(File::open(path)?))?;
        match decoder.subtype() {
            PnmSubtype::Graymap(SampleEncoding::Binary)
            | PnmSubtype::Pixmap(SampleEncoding::Binary) => {}
            other => bail!("it is another kind of PNM file, {other:?}"),
        }
        let samples = match decoder.color_type() {
            ColorType::L8 => Samples::Gray,
            ColorType::Rgb8 => Samples::Rgb,
            other => bail!("its samples are {other:?}, only eight bits each can be shown"),
        };
        let (width, height) = decoder.dimensions();
        let length = samples.length(width, height);
        ensure!(
            length <= MAXIMUM,
            "it has {length} bytes of pixels, at most {MAXIMUM} fit a message"
        );
        let mut pixels = vec![0; usize::try_from(length)?];
        decoder.read_image(&mut pixels)?;
        Ok(Self { width, height, samples, pixels })
    }

    /// Writes a file of the kind P5 or P6.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let (subtype, color) = match self.samples {
            Samples::Gray => (PnmSubtype::Graymap(SampleEncoding::Binary), ExtendedColorType::L8),
            Samples::Rgb => (PnmSubtype::Pixmap(SampleEncoding::Binary), ExtendedColorType::Rgb8),
        };
        let mut file = BufWriter::new(File::create(path)?);
        PnmEncoder::new(&mut file).with_subtype(subtype).write_image(
            &self.pixels,
            self.width,
            self.height,
            color,
        )?;
        file.flush()?;
        Ok(())
    }
}
