//! Stays connected until Ctrl-C, SIGTERM, or the server's end.

// ANCHOR: main
use std::sync::mpsc::channel;
use std::thread;

use shmipc::{Client, Departure};
use shmipc_guide::first::Jukebox;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

enum End {
    Signal(i32),
    Server(Departure),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("jukebox".into());
    let (sender, ends) = channel();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let signalled = sender.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = signalled.send(End::Signal(signal));
        }
    });
    let client = Client::<Jukebox>::builder(&name)
        .on_departure(move |how| {
            let _ = sender.send(End::Server(how.clone()));
        })
        .connect()?;

    println!("connected");
    match ends.recv()? {
        End::Signal(signal) => println!("signal {signal}: closing"),
        End::Server(how) => println!("no server any more: {how}"),
    }
    drop(client); // closes the link: the server learns that this was an orderly end
    Ok(())
}
// ANCHOR_END: main
