//! Says one thing to the jukebox.

// ANCHOR: main
use shmipc::Client;
use shmipc_guide::first::{Jukebox, JukeboxClient};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [name, command @ ..] = words.as_slice() else {
        return Err("say the server's name".into());
    };

    let jukebox = Client::<Jukebox>::connect(name)?;
    match command {
        ["add", title] => {
            let before: u32 = jukebox.add((*title).into())?;
            println!("{before} songs before it");
        }
        ["skip"] => jukebox.skip()?,
        _ => {
            for title in jukebox.queue()? {
                println!("{title}");
            }
        }
    }
    Ok(())
}
// ANCHOR_END: main
