//! A jukebox that lives as long as it has clients.

// ANCHOR: main
use std::thread;
use std::time::Duration;

use shmipc::{BindError, Context, Departure, Server};
use shmipc_guide::first::{Jukebox, JukeboxHandler, Player};

#[derive(Default)]
struct OnDemand(Player);

impl JukeboxHandler for OnDemand {
    fn skip(&mut self, cx: &Context<Jukebox>) {
        self.0.skip(cx);
    }

    fn add(&mut self, cx: &Context<Jukebox>, title: String) -> u32 {
        self.0.add(cx, title)
    }

    fn queue(&mut self, cx: &Context<Jukebox>) -> Vec<String> {
        self.0.queue(cx)
    }

    fn peer_departed(&mut self, cx: &Context<Jukebox>, _departure: &Departure) {
        if cx.server().peers().is_empty() {
            cx.server().stop();
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let server = match Server::<Jukebox>::bind(&name) {
        // Somebody else was faster. That server does it as well.
        Err(BindError::AlreadyServed { .. }) => return Ok(()),
        other => other?,
    };
    let running = server.serve(OnDemand::default())?;
    let handle = running.handle();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(10));
        if handle.peers().is_empty() {
            handle.stop(); // who started it never came
        }
    });
    running.join()?;
    Ok(())
}
// ANCHOR_END: main
