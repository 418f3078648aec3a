//! Measures 50,000 times, as fast as it can, once somebody listens.

// ANCHOR: main
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use shmipc::{Context, SendError, Server};
use shmipc_guide::meter::{Meter, MeterEvent, MeterHandler};

struct Listeners(Sender<()>);

impl MeterHandler for Listeners {
    fn unit(&mut self, _cx: &Context<Meter>) -> String {
        "decibel".into()
    }

    fn peer_arrived(&mut self, _cx: &Context<Meter>) {
        let _ = self.0.send(());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("meter".into());
    let (arrived, somebody) = channel();
    let running = Server::<Meter>::builder(&name)
        .ring_size(4096) // small on purpose
        .max_queued(16 << 10)
        .bind()?
        .serve(Listeners(arrived))?;
    println!("measuring");
    somebody.recv()?;

    let server = running.handle();
    let mut missed = 0;
    for number in 0..50_000 {
        let decibel = (number % 90) as f32;
        // Never waits, however slow a client is.
        missed += server.broadcast(&MeterEvent::Level { number, decibel }).missed;
    }
    // The last word shall arrive: what `try_send` has no room for is still ours.
    for peer in server.peers() {
        while let Err(SendError::Overflow { .. }) = peer.try_send(&MeterEvent::End) {
            thread::sleep(Duration::from_millis(5));
        }
    }
    println!("missed by the client: {missed}");
    while !server.peers().is_empty() {
        thread::sleep(Duration::from_millis(5)); // until it has read and gone
    }
    running.stop()?;
    Ok(())
}
// ANCHOR_END: main
