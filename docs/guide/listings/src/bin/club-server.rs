//! A jukebox for several users: all may add, one may skip.

// ANCHOR: main
use shmipc::{Admission, Context, Server};
use shmipc_guide::first::{Jukebox, JukeboxHandler, Player};

struct Club {
    player: Player,
    /// The user who may skip.
    host: u32,
}

impl JukeboxHandler for Club {
    fn skip(&mut self, cx: &Context<Jukebox>) {
        let user = cx.peer().uid(); // from the kernel: a client cannot invent it
        if user == self.host {
            self.player.skip(cx);
        } else {
            println!("user {user} may not skip");
        }
    }

    fn add(&mut self, cx: &Context<Jukebox>, title: String) -> u32 {
        self.player.add(cx, title)
    }

    fn queue(&mut self, cx: &Context<Jukebox>) -> Vec<String> {
        self.player.queue(cx)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, host, guests @ ..] = arguments.as_slice() else {
        return Err("say the server's name, the host's user id, and the guests' user ids".into());
    };
    let club = Club { player: Player::default(), host: host.parse()? };
    let guests = guests.iter().map(|user| user.parse()).collect::<Result<Vec<u32>, _>>()?;

    let mut builder = Server::<Jukebox>::builder(name);
    if !guests.is_empty() {
        builder = builder.admit(Admission::Users(guests));
    }
    let running = builder.bind()?.serve(club)?;
    println!("the club is open");
    running.join()?;
    Ok(())
}
// ANCHOR_END: main
