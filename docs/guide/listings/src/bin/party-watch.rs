//! Prints what happens at the party.

// ANCHOR: main
use std::sync::mpsc;

use shmipc::Client;
use shmipc_guide::party::{Jukebox, JukeboxEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let (over, is_over) = mpsc::channel();
    let _client = Client::<Jukebox>::builder(&name)
        .on_event(|event| match event {
            JukeboxEvent::Playing { title } => println!("now: {title}"),
            JukeboxEvent::Announcement { text } => println!("the host: {text}"),
            // A closure answers no questions. The server gets a rejection.
            JukeboxEvent::MaySkip { .. } => {}
        })
        .on_missed(|count| println!("(missed {count} events)"))
        .on_departure(move |how| {
            println!("the end: {how}");
            let _ = over.send(());
        })
        .connect()?;
    println!("watching");
    is_over.recv()?; // the events come on a thread of their own
    Ok(())
}
// ANCHOR_END: main
