//! Asks for a search, and waits for what it found.

// ANCHOR: main
use std::sync::mpsc::channel;
use std::time::Duration;

use shmipc::Client;
use shmipc_guide::search::{Catalogue, CatalogueClient, CatalogueEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, word] = arguments.as_slice() else {
        return Err("say the server's name and a word".into());
    };
    let (sender, results) = channel();
    let catalogue = Client::<Catalogue>::builder(name)
        .on_event(move |CatalogueEvent::Found { ticket, titles }| {
            let _ = sender.send((ticket, titles));
        })
        .connect()?;

    let ticket = catalogue.search(word.clone())?;
    // A short question gets a short deadline: this handle has its own, the link is the same.
    let waiting = catalogue.with_deadline(Duration::from_millis(500)).waiting()?;
    println!("ticket {ticket}, {waiting} waiting");
    loop {
        // The result may come before the ticket: events and replies have ways of their own.
        let (found, titles) = results.recv_timeout(Duration::from_secs(10))?;
        if found == ticket {
            println!("{titles:?}");
            return Ok(());
        }
    }
}
// ANCHOR_END: main
