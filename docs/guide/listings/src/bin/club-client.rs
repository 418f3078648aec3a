//! A client of a server that may be another user's.

// ANCHOR: main
use shmipc::Client;
use shmipc_guide::first::{Jukebox, JukeboxClient};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, server_user, title] = arguments.as_slice() else {
        return Err("say the server's name, its user's id, and a title".into());
    };
    let jukebox = Client::<Jukebox>::builder(name).server_user(server_user.parse()?).connect()?;
    jukebox.add(title.clone())?;
    jukebox.skip()?;
    println!("{:?}", jukebox.queue()?);
    Ok(())
}
// ANCHOR_END: main
