//! The process that measures. It does so only while somebody watches.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use shmipc::{Context, Departure, Running, Server};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::machine;
use super::protocol::{Gauge, GaugeHandler, Machine, Reading};

/// Who is behind by more than this goes on from now and does not catch up.
const MOST_BEHIND: Duration = Duration::from_millis(100);

/// Measures this machine `rate` times a second and tells whoever watches, until Ctrl-C.
///
/// # Errors
/// The name is taken, or `/proc` cannot be read.
pub fn serve(name: &str, rate: u32) -> Result<()> {
    let machine = machine::describe(rate)?;
    let audience = Arc::<Audience>::default();
    let desk = Desk { machine, audience: audience.clone() };
    let running = Server::<Gauge>::bind(name)?.serve(desk)?;
    stop_on_ctrl_c(&running, audience.clone())?;
    println!("live-data: measuring as {name:?}, {rate} times a second while somebody watches");
    let measured = measure(&running, &audience, Duration::from_secs(1) / rate);
    running.stop()?;
    measured
}

fn measure(running: &Running<Gauge>, audience: &Audience, pause: Duration) -> Result<()> {
    let server = running.handle();
    let mut next = Instant::now();
    for number in 0.. {
        if !audience.wait() {
            break;
        }
        let now = Instant::now();
        if now.saturating_duration_since(next) > MOST_BEHIND {
            next = now;
        }
        thread::sleep(next.saturating_duration_since(now));
        next += pause;
        // Never waits: who does not read in time misses it, and is told so.
        server.broadcast(&Reading::Taken { sample: machine::measure(number)? });
    }
    Ok(())
}

fn stop_on_ctrl_c(running: &Running<Gauge>, audience: Arc<Audience>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch Ctrl-C")?;
    let server = running.handle();
    let wait = move || {
        if signals.forever().next().is_some() {
            audience.close();
            server.stop();
        }
    };
    let spawned = thread::Builder::new().name("signals".into()).spawn(wait);
    spawned.context("cannot start the thread that waits for Ctrl-C")?;
    Ok(())
}

/// How many watch.
#[derive(Default)]
struct Audience {
    state: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Default)]
struct Watched {
    count: usize,
    is_over: bool,
}

impl Audience {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn come(&self) {
        self.lock().count += 1;
        self.changed.notify_all();
    }

    fn go(&self) {
        let mut state = self.lock();
        state.count = state.count.saturating_sub(1);
    }

    /// Waits for somebody. `false`: it is over.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.count == 0 && !state.is_over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.is_over
    }
}

struct Desk {
    machine: Machine,
    audience: Arc<Audience>,
}

impl GaugeHandler for Desk {
    fn describe(&mut self, _cx: &Context<Gauge>) -> Machine {
        self.machine.clone()
    }

    fn peer_arrived(&mut self, _cx: &Context<Gauge>) {
        self.audience.come();
    }

    fn peer_departed(&mut self, _cx: &Context<Gauge>, _departure: &Departure) {
        self.audience.go();
    }
}
