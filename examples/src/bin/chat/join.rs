//! The joining side, at a terminal.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use shmipc::{Client, Context, Departure};
use shmipc_examples::chat::{self, Chat, ChatEvent, ChatEventHandler, Joined, NotIn, NotSaid};

use crate::screen::{self, Happening, Happenings, Sender};

/// How long to try before saying that there is nobody yet.
const FIRST_TRY: Duration = Duration::from_millis(300);

/// Joins the chat, and takes part until the input or the server ends, or Ctrl-C.
///
/// # Errors
/// There is no server, it refuses the name, or it was killed.
pub(crate) fn run(server: &str, own_name: &str, patience: Duration) -> Result<()> {
    let own_name = crate::own_name(own_name)?;
    let (sender, happenings) = screen::happenings()?;
    start_joining(server.into(), own_name.clone(), patience, sender.clone())?;
    let Some((chat, present)) = wait_to_be_in(&happenings)? else { return Ok(()) };
    let present = present.join(", ");
    screen::line(&format!("* joined as {own_name}; here: {present}; end with Ctrl-D or Ctrl-C"));
    screen::read_input(sender)?;
    let ended = take_part(&chat, &happenings);
    chat.close();
    ended
}

/// `None`: told to end before that.
fn wait_to_be_in(happenings: &Happenings) -> Result<Option<Joined>> {
    let mut gone = None;
    loop {
        match happenings.next() {
            Some(Happening::Joined(joined)) => {
                let joined = (*joined)?;
                return match gone {
                    None => Ok(Some(joined)),
                    Some(how) => Err(anyhow!(chat::gone(&how))),
                };
            }
            Some(Happening::Interrupted) | None => {
                // Who is as good as in takes leave too.
                if let Some(Ok((chat, _))) = happenings.joined_within(FIRST_TRY) {
                    chat.close();
                }
                return Ok(None);
            }
            // If that is why joining failed, joining tells it.
            Some(Happening::Gone(how)) => gone = Some(how),
            Some(Happening::Typed(_) | Happening::InputEnded(_)) => {}
        }
    }
}

fn take_part(chat: &Client<Chat>, happenings: &Happenings) -> Result<()> {
    while let Some(happening) = happenings.next() {
        match happening {
            Happening::Typed(lines) => say(chat, lines),
            Happening::InputEnded(ended) => return ended.context("cannot read the input"),
            Happening::Interrupted => return Ok(()),
            Happening::Gone(Departure::ServerStopped) => {
                screen::line("* the server stopped");
                return Ok(());
            }
            Happening::Gone(how) => bail!(chat::gone(&how)),
            Happening::Joined(_) => {}
        }
    }
    Ok(())
}

/// Connects and joins on a thread of its own, so that Ctrl-C ends the waiting.
fn start_joining(server: String, name: String, patience: Duration, sender: Sender) -> Result<()> {
    let join = move || {
        let joined = wait_and_join(&server, &name, &sender, patience);
        sender.tell(Happening::Joined(Box::new(joined)));
    };
    let spawned = thread::Builder::new().name("joining".into()).spawn(join);
    spawned.context("cannot start the thread that joins")?;
    Ok(())
}

/// Tries until the server is there, and says that it waits. One that is stopped is waited for too.
fn wait_and_join(server: &str, name: &str, sender: &Sender, patience: Duration) -> Result<Joined> {
    let started = Instant::now();
    let mut said = false;
    loop {
        let left = patience.saturating_sub(started.elapsed());
        let now = if said { left } else { left.min(FIRST_TRY) };
        let why = match chat::join(server, name, Events(sender.clone()), now) {
            Ok(joined) => return Ok(joined),
            Err(NotIn::Yet(why)) => why,
            Err(NotIn::Name(error)) => return Err(crate::other_name(&error)),
            Err(NotIn::Ever(why)) => bail!(why),
        };
        if started.elapsed() >= patience {
            bail!("{why}; gave up after {} s", patience.as_secs());
        }
        if !said {
            screen::line(&format!("* {why} yet; waiting"));
        }
        said = true;
    }
}

/// Says lines. Those that could not be sent or handled are told, and the chat goes on; the server's
/// end comes as a happening of its own, with the reason.
fn say(chat: &Client<Chat>, lines: Vec<String>) {
    let said = chat::say(chat, lines, screen::is_interrupted);
    let Err(NotSaid { lines, why: Some(why), may_have_arrived }) = said else { return };
    let how = if may_have_arrived { "perhaps not sent" } else { "not sent" };
    match lines.as_slice() {
        [one] => screen::line(&format!("* {how}: {one}: {why}")),
        many => screen::line(&format!("* {how}: {} lines: {why}", many.len())),
    }
}

/// Handles the events, on the client's listener thread.
#[derive(Clone)]
struct Events(Sender);

impl ChatEventHandler for Events {
    fn said(&mut self, _cx: &Context<ChatEvent>, from: String, lines: Vec<String>) {
        screen::show(&ChatEvent::Said { from, lines });
    }

    fn joined(&mut self, _cx: &Context<ChatEvent>, name: String) {
        screen::show(&ChatEvent::Joined { name });
    }

    fn left(&mut self, _cx: &Context<ChatEvent>, name: String, suddenly: bool) {
        screen::show(&ChatEvent::Left { name, suddenly });
    }

    fn missed(&mut self, _cx: &Context<ChatEvent>, lines: u64) {
        screen::show(&ChatEvent::Missed { lines });
    }

    fn peer_departed(&mut self, _cx: &Context<ChatEvent>, departure: &Departure) {
        self.0.tell(Happening::Gone(departure.clone()));
    }
}
