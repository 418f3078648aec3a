//! A process that serves, and a second one that asks it: `cargo run -p hello`.

use std::{env, error::Error, process::Command};

use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Server, ShmMessage};

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Hello {
    #[shm(reply = String)]
    Greet { name: String },
}

struct Host;

impl HelloHandler for Host {
    fn greet(&mut self, cx: &Context<Hello>, name: String) -> String {
        format!("hello {name}, process {}", cx.peer().pid())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(address) = env::args().nth(1) {
        // The second process: connects, asks, prints the answer.
        println!("{}", Client::<Hello>::connect(&address)?.greet("world".into())?);
        return Ok(());
    }
    // The first process: serves, and starts this program once more as the second.
    let address = format!("hello-{}", std::process::id());
    let server = Server::<Hello>::bind(&address)?.serve(Host)?;
    let ended = Command::new(env::current_exe()?).arg(&address).status()?;
    server.stop()?;
    if ended.success() { Ok(()) } else { Err(format!("the client failed: {ended}").into()) }
}
