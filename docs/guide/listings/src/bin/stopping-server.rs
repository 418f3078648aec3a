//! The jukebox, with an orderly end on Ctrl-C and on SIGTERM.

// ANCHOR: main
use std::thread;

use shmipc::{Context, Departure, Server};
use shmipc_guide::first::{Jukebox, JukeboxHandler, Player};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The player of the chapters before, which also says who comes and goes.
#[derive(Default)]
struct Host(Player);

impl JukeboxHandler for Host {
    fn skip(&mut self, cx: &Context<Jukebox>) {
        self.0.skip(cx);
    }

    fn add(&mut self, cx: &Context<Jukebox>, title: String) -> u32 {
        self.0.add(cx, title)
    }

    fn queue(&mut self, cx: &Context<Jukebox>) -> Vec<String> {
        self.0.queue(cx)
    }

    fn peer_arrived(&mut self, cx: &Context<Jukebox>) {
        println!("client {} came", cx.peer().id());
    }

    fn peer_departed(&mut self, cx: &Context<Jukebox>, departure: &Departure) {
        println!("client {} left: {departure}", cx.peer().id());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let running = Server::<Jukebox>::bind(&name)?.serve(Host::default())?;

    let server = running.handle();
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            server.stop();
        }
        if signals.next().is_some() {
            std::process::exit(1); // a handler that does not return must not keep us
        }
    });
    println!("serving");
    running.join()?;
    println!("stopped in order");
    Ok(())
}
// ANCHOR_END: main
