//! Draws each level, which takes time, and counts what it could not hear.

// ANCHOR: main
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc::channel};
use std::thread;
use std::time::Duration;

use shmipc::Client;
use shmipc_guide::meter::{Meter, MeterEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("meter".into());
    let (sender, ended) = channel();
    let (heard, missed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (count_heard, count_missed) = (heard.clone(), missed.clone());
    let _client = Client::<Meter>::builder(&name)
        .on_event(move |event| match event {
            MeterEvent::Level { .. } => {
                count_heard.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_millis(1)); // drawing
            }
            MeterEvent::End => {
                let _ = sender.send(());
            }
        })
        .on_missed(move |count| {
            count_missed.fetch_add(count, Relaxed);
        })
        .connect()?;
    ended.recv()?;
    println!("heard {}, missed {}", heard.load(Relaxed), missed.load(Relaxed));
    Ok(())
}
// ANCHOR_END: main
