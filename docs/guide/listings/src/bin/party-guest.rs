//! A guest: adds a song, and is asked before others skip it.

// ANCHOR: main
use std::sync::mpsc::{Sender, channel};

use shmipc::{Client, Context, Departure};
use shmipc_guide::party::{Jukebox, JukeboxClient, JukeboxEvent, JukeboxEventHandler};

struct Guest {
    agrees: bool,
    over: Sender<()>,
}

impl JukeboxEventHandler for Guest {
    fn playing(&mut self, _cx: &Context<JukeboxEvent>, title: String) {
        println!("now: {title}");
    }

    fn announcement(&mut self, _cx: &Context<JukeboxEvent>, text: String) {
        println!("the host: {text}");
    }

    fn may_skip(&mut self, _cx: &Context<JukeboxEvent>, title: String) -> bool {
        println!("skip {title}? {}", if self.agrees { "yes" } else { "no" });
        self.agrees
    }

    fn peer_departed(&mut self, _cx: &Context<JukeboxEvent>, departure: &Departure) {
        println!("the end: {departure}");
        let _ = self.over.send(());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, song, agrees] = arguments.as_slice() else {
        return Err("say the server's name, a song, and yes or no".into());
    };
    let (over, is_over) = channel();
    let guest = Guest { agrees: agrees == "yes", over };
    let jukebox = Client::<Jukebox>::builder(name).serve_events(guest).connect()?;

    let before = jukebox.add(song.clone())?;
    println!("{before} songs before mine");
    if before > 0 {
        jukebox.skip()?;
    }
    is_over.recv()?;
    Ok(())
}
// ANCHOR_END: main
