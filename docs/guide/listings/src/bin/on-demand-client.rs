//! Adds a song; starts the jukebox where nobody has.

// ANCHOR: main
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use shmipc::{Client, ConnectError};
use shmipc_guide::first::{Jukebox, JukeboxClient};

fn connect_or_start(name: &str) -> Result<Client<Jukebox>, Box<dyn Error>> {
    match Client::builder(name).connect_deadline(Duration::from_millis(100)).connect() {
        Err(ConnectError::NoServer { .. }) => start(name)?,
        // It is there, and busy or just beginning.
        Err(ConnectError::NotAnswering { .. }) => {}
        other => return Ok(other?),
    }
    Ok(Client::connect(name)?) // waits for it
}

fn start(server: &str) -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name("on-demand-server");
    Command::new(program).arg(server).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let jukebox = connect_or_start(&name)?;
    jukebox.add("Blue in Green".into())?;
    println!("connected to process {}", jukebox.server_pid());
    std::io::stdin().lines().next(); // until Enter
    Ok(())
}
// ANCHOR_END: main
