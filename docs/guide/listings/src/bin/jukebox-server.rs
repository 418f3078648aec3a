//! The jukebox as a server.

// ANCHOR: main
use shmipc::Server;
use shmipc_guide::first::{Jukebox, Player};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let running = Server::<Jukebox>::bind(&name)?.serve(Player::default())?;
    println!("the jukebox is open");
    running.join()?; // as long as the server runs
    Ok(())
}
// ANCHOR_END: main
