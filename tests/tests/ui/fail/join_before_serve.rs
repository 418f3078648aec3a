//! What only a server that serves can do.
use serde::{Deserialize, Serialize};
use shmipc::{Server, ShmMessage};

#[derive(Serialize, Deserialize, ShmMessage)]
pub enum Library {
    Note,
}

fn main() {
    let bind = || Server::<Library>::bind("library").expect("the name is free");
    bind().join().expect("it serves");
    bind().stop().expect("it serves");
    bind().handle().stop();
}
