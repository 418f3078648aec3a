//! Live data: `live-data serve` measures, `live-data watch` shows it in a window.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use shmipc_examples::finish;
use shmipc_windows::desktop::{self, Options};
use shmipc_windows::gauge::{self, GaugeWindow};

/// This machine's load, measured a thousand times a second by one process and plotted by others.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    /// Measure, and tell whoever watches.
    Serve {
        /// The source's name.
        #[arg(default_value = "live-data")]
        name: String,
        /// Samples in a second.
        #[arg(long, default_value_t = 1000)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=5000))]
        rate: u32,
    },
    /// Show it in a window; waits for the source.
    Watch {
        /// The source's name.
        #[arg(default_value = "live-data")]
        name: String,
        #[command(flatten)]
        options: desktop::Options,
    },
}

/// More pictures in a second than this nobody sees.
const FRAME: Duration = Duration::from_millis(33);

fn main() -> ExitCode {
    let result = match Arguments::parse().side {
        Side::Serve { name, rate } => gauge::serve(&name, rate),
        Side::Watch { name, options } => {
            desktop::run("live-data", Options { pause: FRAME, ..options }, move |wake| {
                let mut window = GaugeWindow::new(name, wake);
                window.watch();
                window
            })
        }
    };
    finish("live-data", result)
}
