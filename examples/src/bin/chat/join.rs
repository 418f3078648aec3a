//! The joining side.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use shmipc::{Client, ConnectError, Context, Departure};

use crate::protocol::{Chat, ChatClient, ChatEvent, ChatEventHandler};
use crate::screen::{self, Happening};

/// How long to try before saying that there is nobody yet.
const FIRST_TRY: Duration = Duration::from_millis(300);

/// Joins the chat, and takes part until the input or the server ends.
///
/// # Errors
/// There is no server, it refuses the name, or it was killed.
pub(crate) fn run(server: &str, name: &str, patience: Duration) -> Result<()> {
    let (sender, happenings) = channel();
    let events = Events(sender.clone());
    let chat = connect(server, &events, patience)?;
    let present = chat.join(name.into())??;
    let present = present.join(", ");
    screen::line(&format!("* joined as {name}; here: {present}; end with Ctrl-D"));
    screen::read_input(sender)?;
    for happening in happenings {
        match happening {
            Happening::Typed(text) => say(&chat, text),
            Happening::InputEnded(ended) => return ended.context("cannot read the input"),
            Happening::Gone(Departure::ServerStopped) => {
                screen::line("* the server stopped");
                return Ok(());
            }
            Happening::Gone(how) => bail!("the server is gone: {how}"),
        }
    }
    Ok(())
}

/// Waits for the server, and says so if it is not there yet.
fn connect(server: &str, events: &Events, patience: Duration) -> Result<Client<Chat>> {
    let builder = || Client::<Chat>::builder(server).serve_events(events.clone());
    match builder().connect_deadline(FIRST_TRY).connect() {
        Ok(chat) => Ok(chat),
        Err(ConnectError::NoServer { .. }) => {
            screen::line(&format!("* nobody serves {server:?} yet; waiting"));
            Ok(builder().connect_deadline(patience).connect()?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says a line. One that could not be sent or handled is told, and the chat goes on; the server's
/// end comes as a happening of its own, with the reason.
fn say(chat: &Client<Chat>, text: String) {
    if let Err(error) = chat.say(text) {
        screen::line(&format!("* not sent: {:#}", anyhow::Error::new(error)));
    }
    for rejection in chat.take_rejections() {
        let error = anyhow::Error::new(rejection);
        screen::line(&format!("* a line before was not handled: {error:#}"));
    }
}

/// Handles the events, on the client's listener thread.
#[derive(Debug, Clone)]
struct Events(Sender<Happening>);

impl ChatEventHandler for Events {
    fn said(&mut self, _cx: &Context<ChatEvent>, from: String, text: String) {
        screen::show(&ChatEvent::Said { from, text });
    }

    fn joined(&mut self, _cx: &Context<ChatEvent>, name: String) {
        screen::show(&ChatEvent::Joined { name });
    }

    fn left(&mut self, _cx: &Context<ChatEvent>, name: String, why: Option<String>) {
        screen::show(&ChatEvent::Left { name, why });
    }

    fn peer_departed(&mut self, _cx: &Context<ChatEvent>, departure: &Departure) {
        // Nobody receives: this side is about to end.
        drop(self.0.send(Happening::Gone(departure.clone())));
    }

    fn messages_missed(&mut self, _cx: &Context<ChatEvent>, count: u64) {
        screen::line(&format!("* {count} lines were missed"));
    }
}
