//! The jukebox with events. What the host types is announced.

// ANCHOR: main
use shmipc::Server;
use shmipc_guide::party::{Jukebox, JukeboxEvent, Party};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let running = Server::<Jukebox>::bind(&name)?.serve(Party::default())?;
    println!("the party is on");

    let server = running.handle(); // for this thread, or any other
    for line in std::io::stdin().lines() {
        let said = server.broadcast(&JukeboxEvent::Announcement { text: line? });
        println!("{} guests were told", said.delivered);
    }
    running.stop()?; // Ctrl-D ends the party
    Ok(())
}
// ANCHOR_END: main
