//! Searches a file of titles, on a thread of its own.

// ANCHOR: main
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering};
use std::{fs, thread};

use shmipc::{Context, Peer, Server};
use shmipc_guide::search::{Catalogue, CatalogueEvent, CatalogueEventClient, CatalogueHandler};

struct Job {
    ticket: u64,
    word: String,
    client: Peer<CatalogueEvent>,
}

struct Desk {
    jobs: Sender<Job>,
    tickets: u64,
    done: Arc<AtomicU64>,
}

impl CatalogueHandler for Desk {
    fn search(&mut self, cx: &Context<Catalogue>, word: String) -> u64 {
        self.tickets += 1;
        let job = Job { ticket: self.tickets, word, client: cx.peer().clone() };
        let _ = self.jobs.send(job); // fails only while the program ends
        self.tickets
    }

    fn waiting(&mut self, _cx: &Context<Catalogue>) -> u64 {
        self.tickets - self.done.load(Ordering::Relaxed)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, file] = arguments.as_slice() else {
        return Err("say the server's name and a file of titles".into());
    };
    let titles = fs::read_to_string(file)?;
    let (jobs, todo) = channel::<Job>();
    let done = Arc::<AtomicU64>::default();
    let counted = done.clone();
    thread::spawn(move || {
        for job in todo {
            let found = titles.lines().filter(|title| title.contains(&job.word));
            let found = found.map(String::from).collect();
            counted.fetch_add(1, Ordering::Relaxed);
            // The client may be gone, or read too slowly: that is the client's loss alone.
            if let Err(error) = job.client.found(job.ticket, found) {
                eprintln!("ticket {}: {error}", job.ticket);
            }
        }
    });

    let running = Server::<Catalogue>::bind(name)?.serve(Desk { jobs, tickets: 0, done })?;
    println!("the desk is open");
    running.join()?;
    Ok(())
}
// ANCHOR_END: main
