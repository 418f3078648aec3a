//! `set_clock_back SECONDS`: sets the system's clock back, says "set", and sets it right again when
//! its input ends: when whoever started it ends in any way, or after five seconds. Needs the right
//! to set the clock. What passed meanwhile is known from the monotonic clock.

use std::error::Error;
use std::io::{Read, stdin};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime, clock_settime};

const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: i64 = std::env::args().nth(1).ok_or("how many seconds?")?.parse()?;
    let monotonic = || clock_gettime(ClockId::CLOCK_MONOTONIC);
    let (wall, started) = (clock_gettime(ClockId::CLOCK_REALTIME)?, monotonic()?);
    clock_settime(ClockId::CLOCK_REALTIME, wall - TimeSpec::seconds(seconds))?;
    println!("set");
    let (told, end) = mpsc::channel();
    thread::spawn(move || {
        let _ = stdin().lock().read_to_end(&mut Vec::new());
        let _ = told.send(());
    });
    let _ = end.recv_timeout(PATIENCE);
    let passed = monotonic()? - started;
    clock_settime(ClockId::CLOCK_REALTIME, wall + passed)?;
    println!("right again after {} ms", passed.num_milliseconds());
    Ok(())
}
