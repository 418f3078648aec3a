//! A protocol and its handler, tried in one process.

// ANCHOR: main
use shmipc::Local;
use shmipc_guide::first::{Jukebox, JukeboxClient, Player};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let jukebox = Local::<Jukebox, _>::new(Player::default());

    let before = jukebox.add("Take Five".into())?;
    println!("{before} songs before it");
    let before = jukebox.add("So What".into())?;
    println!("{before} songs before it");

    jukebox.skip()?;
    println!("{:?}", jukebox.queue()?);
    Ok(())
}
// ANCHOR_END: main
