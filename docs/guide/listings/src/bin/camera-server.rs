//! A camera that films 60 frames of 2 megabytes, once somebody watches.

// ANCHOR: main
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use shmipc::{Context, SendError, Server};
use shmipc_guide::camera::{Camera, CameraHandler, Film};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;

struct Lens(Sender<()>);

impl CameraHandler for Lens {
    fn size(&mut self, _cx: &Context<Camera>) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn peer_arrived(&mut self, _cx: &Context<Camera>) {
        let _ = self.0.send(());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("camera".into());
    let (arrived, somebody) = channel();
    // ANCHOR: tuning
    let builder = Server::<Camera>::builder(&name)
        .ring_size(8 << 20) // a frame passes in one piece
        .max_message(4 << 20)
        .max_links(4)
        .max_queued(8 << 20)
        .spin(Duration::ZERO) // 30 frames a second: sleeping costs nothing here
        .on_thread(|name| println!("thread {name} starts"));
    println!("at most {} MiB for the viewers", builder.memory_budget() >> 20);
    let running = builder.bind()?.serve(Lens(arrived))?;
    // ANCHOR_END: tuning
    println!("the camera is on");
    somebody.recv()?;

    let server = running.handle();
    let mut pixels = vec![0; (WIDTH * HEIGHT) as usize];
    for number in 0..60_u32 {
        pixels.fill(number as u8); // what the lens sees
        server.broadcast(&Film::Frame { number, pixels: &pixels });
        thread::sleep(Duration::from_millis(5));
    }
    for viewer in server.peers() {
        while let Err(SendError::Overflow { .. }) = viewer.try_send(&Film::End) {
            thread::sleep(Duration::from_millis(5));
        }
    }
    while !server.peers().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    running.stop()?;
    Ok(())
}
// ANCHOR_END: main
