//! Looks at each frame where it was received.

// ANCHOR: main
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc::channel};

use shmipc::Client;
use shmipc_guide::camera::{Camera, CameraClient, Film};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("camera".into());
    let (sender, ended) = channel();
    let (seen, torn) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let missed = Arc::<AtomicU64>::default();
    let (count, count_torn, count_missed) = (seen.clone(), torn.clone(), missed.clone());
    let camera = Client::<Camera>::builder(&name)
        .on_event(move |film: Film<'_>| match film {
            Film::Frame { number, pixels } => {
                count.fetch_add(1, Relaxed);
                // Every pixel of a frame is the same: is it?
                if pixels.iter().any(|pixel| *pixel != number as u8) {
                    count_torn.fetch_add(1, Relaxed);
                }
            }
            Film::End => {
                let _ = sender.send(());
            }
        })
        .on_missed(move |number| {
            count_missed.fetch_add(number, Relaxed);
        })
        .connect()?;
    let (width, height) = camera.size()?;
    println!("{width} × {height}");
    ended.recv()?;
    let [seen, missed, torn] = [seen, missed, torn].map(|number| number.load(Relaxed));
    println!("{seen} frames seen, {missed} missed, {torn} frames torn");
    Ok(())
}
// ANCHOR_END: main
