//! The server's side: serves the chat until told to stop.

use std::sync::mpsc::Sender;
use std::thread;

use shmipc::{Running, Server};
use shmipc_examples::chat::{self, Chat, Hall, PAUSE};

use super::news::{News, Order, Unsaid, say_parts, tell, tell_chat};
use crate::session::Desk;
use crate::standing::Standing;

/// Serves until told to stop, or the name is lost.
pub(super) fn run(chat: &str, name: &str, desk: Desk<News, Order>) {
    let teller = desk.teller.clone();
    if let Err(why) = serve(chat, name, desk) {
        tell(&teller, News::Standing(Standing::Failed(why)));
    }
}

fn serve(chat: &str, name: &str, desk: Desk<News, Order>) -> Result<(), String> {
    let Desk { teller, orders, sender } = desk;
    let hall = Hall::new(name.to_owned());
    let told = teller.clone();
    let bound = Server::<Chat>::builder(chat)
        .on_refused(move |refused| {
            tell(&told, News::Note(format!("somebody could not connect: {refused}")));
        })
        .bind()
        .map_err(|error| chat::not_bound(&error))?;
    let told = teller.clone();
    let handler = chat::Desk::new(hall.clone(), move |event| tell_chat(&told, event));
    let running = bound.serve(handler).map_err(|error| error.to_string())?;
    let server = running.handle();
    tell_end(running, sender)?;
    let text = format!("serving {chat:?} as {name}, process {}", std::process::id());
    tell(&teller, News::Present(vec![name.to_owned()]));
    tell(&teller, News::Standing(Standing::Up(text)));
    let mut is_over = false;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Say { id, parts } => say_parts(&teller, id, parts, |lines| {
                while hall.say(None, name, &lines).is_err() {
                    if teller.is_over() {
                        return Err(Unsaid::certainly("the chat was closed before"));
                    }
                    thread::sleep(PAUSE);
                }
                Ok(())
            }),
            Order::Close if !is_over => {
                is_over = true;
                hall.settle();
                server.stop();
            }
            Order::Close | Order::Gone { .. } => {}
            Order::Ended(None) => return Ok(()),
            Order::Ended(Some(why)) => return Err(why),
        }
    }
    Ok(())
}

/// Tells when the server has ended, on a thread of its own.
fn tell_end(running: Running<Chat>, sender: Sender<Order>) -> Result<(), String> {
    let wait = move || {
        let ended = running.join();
        drop(sender.send(Order::Ended(ended.err().map(|error| error.to_string()))));
    };
    let spawned = thread::Builder::new().name("serving".into()).spawn(wait);
    spawned.map(drop).map_err(|error| format!("there is no room for a thread: {error}"))
}
