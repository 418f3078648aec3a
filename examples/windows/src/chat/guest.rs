//! The client's side: waits for the server, is in the chat, and waits again when it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{Client, Context, Departure};
use shmipc_examples::chat::{self, Chat, ChatEvent, ChatEventHandler, Joined, NotIn, NotSaid};

use super::news::{News, Order, Unsaid, say_parts, tell, tell_chat};
use crate::inbox::Teller;
use crate::session::Desk;
use crate::standing::Standing;

/// One try to connect. The library looks often while it waits, for it wants to be quick; a window
/// that may wait for hours tries for a moment, and pauses.
const TRY: Duration = Duration::from_millis(100);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(400);
/// So long after a link broke the server may still know this window by its name.
const OLD_SELF: Duration = Duration::from_secs(5);

type Words = (u64, Vec<Vec<String>>);

/// Is in the chat until told to leave, or it turns out to be in vain.
pub(super) fn run(chat: &str, name: &str, desk: Desk<News, Order>) {
    let Desk { teller, orders, sender } = desk;
    let mut lost: Option<Lost> = None;
    for link in 0.. {
        let events = || Events { teller: teller.clone(), sender: sender.clone(), link };
        let Some(joined) = wait(chat, name, &teller, &orders, lost.as_ref(), events) else {
            return;
        };
        match take_part(joined, name, &teller, &orders, link) {
            Some(why) => lost = Some(Lost { why, since: Instant::now() }),
            None => return,
        }
    }
}

/// That there was a link, and why it ended.
struct Lost {
    why: String,
    since: Instant,
}

/// Tries until the server is there. `None`: there is nothing to wait for any more.
fn wait(
    chat: &str,
    name: &str,
    teller: &Teller<News>,
    orders: &Receiver<Order>,
    lost: Option<&Lost>,
    events: impl Fn() -> Events,
) -> Option<Joined> {
    let mut said = None;
    if let Some(Lost { why, .. }) = lost {
        tell(teller, News::Standing(Standing::Lost(format!("{why}; waiting until it is back"))));
    }
    while !teller.is_over() {
        let why = match chat::join(chat, name, events(), TRY) {
            Ok(joined) => return Some(joined),
            Err(NotIn::Yet(why)) => why,
            Err(NotIn::Name(_)) if lost.is_some_and(|lost| lost.since.elapsed() < OLD_SELF) => {
                if is_called_off(teller, orders) {
                    return None;
                }
                continue;
            }
            Err(NotIn::Name(error)) => {
                let why = format!("{error}; choose another name");
                tell(teller, News::Standing(Standing::Failed(why)));
                return None;
            }
            Err(NotIn::Ever(why)) => {
                tell(teller, News::Standing(Standing::Failed(why)));
                return None;
            }
        };
        if lost.is_none() && said.as_ref() != Some(&why) {
            tell(teller, News::Standing(Standing::Waiting(format!("{why} yet; waiting"))));
            said = Some(why);
        }
        if is_called_off(teller, orders) {
            return None;
        }
    }
    None
}

/// Pauses between two tries, and takes orders that nobody can follow now.
fn is_called_off(teller: &Teller<News>, orders: &Receiver<Order>) -> bool {
    let ends = Instant::now() + PAUSE;
    loop {
        match orders.recv_timeout(ends.saturating_duration_since(Instant::now())) {
            Ok(Order::Say { id, .. }) => {
                tell(
                    teller,
                    News::NotSaid { id, not: Unsaid::certainly("nobody serves the chat") },
                );
            }
            Ok(Order::Gone { .. } | Order::Ended(_)) => {}
            Ok(Order::Close) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Why the link ended, if not by this side.
fn take_part(
    (chat, present): Joined,
    name: &str,
    teller: &Teller<News>,
    orders: &Receiver<Order>,
    link: u64,
) -> Option<String> {
    let text = format!("connected to process {} as {name}", chat.server_pid());
    tell(teller, News::Present(present.into_iter().chain([name.to_owned()]).collect()));
    tell(teller, News::Standing(Standing::Up(text)));
    let is_over = Arc::<AtomicBool>::default();
    let words = start_speaking(&chat, teller, &is_over);
    let mut gone = None;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Say { id, parts } => {
                let taken = words.as_ref().is_some_and(|words| words.send((id, parts)).is_ok());
                if !taken {
                    let not = Unsaid::certainly("there is no room for a thread");
                    tell(teller, News::NotSaid { id, not });
                }
            }
            Order::Gone { link: of, how } if of == link => {
                gone = Some(chat::gone(&how));
                break;
            }
            Order::Close => break,
            Order::Gone { .. } | Order::Ended(_) => {}
        }
    }
    is_over.store(true, Ordering::Relaxed);
    // A call that still waits ends by it.
    chat.close();
    gone
}

/// Says things on a thread of its own: so that leaving does not wait for a server that is stopped.
fn start_speaking(
    chat: &Client<Chat>,
    teller: &Teller<News>,
    is_over: &Arc<AtomicBool>,
) -> Option<Sender<Words>> {
    let (sender, words) = channel::<Words>();
    let (chat, teller, is_over) = (chat.clone(), teller.clone(), is_over.clone());
    let speak = move || {
        for (id, parts) in words {
            say_parts(&teller, id, parts, |lines| {
                let said = chat::say(&chat, lines, || is_over.load(Ordering::Relaxed));
                said.map_err(|NotSaid { why, may_have_arrived, .. }| Unsaid {
                    why: why.unwrap_or_else(|| "the link ended before".into()),
                    may_have_arrived,
                })
            });
        }
    };
    thread::Builder::new().name("speaking".into()).spawn(speak).ok()?;
    Some(sender)
}

/// Handles the events, on the client's listener thread: passes them on to the window.
struct Events {
    teller: Teller<News>,
    sender: Sender<Order>,
    link: u64,
}

impl ChatEventHandler for Events {
    fn said(&mut self, _cx: &Context<ChatEvent>, from: String, lines: Vec<String>) {
        tell_chat(&self.teller, ChatEvent::Said { from, lines });
    }

    fn joined(&mut self, _cx: &Context<ChatEvent>, name: String) {
        tell_chat(&self.teller, ChatEvent::Joined { name });
    }

    fn left(&mut self, _cx: &Context<ChatEvent>, name: String, suddenly: bool) {
        tell_chat(&self.teller, ChatEvent::Left { name, suddenly });
    }

    fn missed(&mut self, _cx: &Context<ChatEvent>, lines: u64) {
        tell_chat(&self.teller, ChatEvent::Missed { lines });
    }

    fn peer_departed(&mut self, _cx: &Context<ChatEvent>, departure: &Departure) {
        drop(self.sender.send(Order::Gone { link: self.link, how: departure.clone() }));
    }
}
