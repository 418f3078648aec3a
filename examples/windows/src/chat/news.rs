//! What the library's threads tell the window.

use shmipc::Departure;
use shmipc_examples::chat::ChatEvent;

use crate::inbox::Teller;
use crate::standing::Standing;

/// News for the window.
#[derive(Debug)]
pub(crate) enum News {
    /// How things stand now.
    Standing(Standing),
    /// Who is there, this side too.
    Present(Vec<String>),
    /// What happened in the chat.
    Chat(ChatEvent),
    /// Something was said to everybody.
    Said { id: u64 },
    /// It was not, or only in part.
    NotSaid { id: u64, why: String },
    /// Something else that people should know.
    Note(String),
}

/// Bytes that may wait for the window.
pub(crate) const MOST_WAITING: usize = 2 << 20;
/// What news weigh beside their text.
const BESIDES: usize = 64;

/// Tells the window what happened in the chat.
pub(crate) fn tell_chat(teller: &Teller<News>, event: ChatEvent) {
    let text = match &event {
        ChatEvent::Said { lines, .. } => lines.iter().map(|line| line.len() + BESIDES).sum(),
        _ => 0,
    };
    teller.tell(News::Chat(event), text + BESIDES);
}

/// Tells the window something else.
pub(crate) fn tell(teller: &Teller<News>, news: News) {
    teller.tell(news, BESIDES);
}

/// What the window, and the library's threads, want of the session's own thread.
#[derive(Debug)]
pub(crate) enum Order {
    /// Say this, in parts of which each is sent as one message.
    Say { id: u64, parts: Vec<Vec<String>> },
    /// Leave in order.
    Close,
    /// The link with this number has ended.
    Gone { link: u64, how: Departure },
    /// The server has ended; why, if it was not asked to.
    Ended(Option<String>),
}

/// Says the parts, one after the other, and tells the window what came of it.
pub(crate) fn say_parts(
    teller: &Teller<News>,
    id: u64,
    parts: Vec<Vec<String>>,
    mut say: impl FnMut(Vec<String>) -> Result<(), String>,
) {
    let count = parts.len();
    for (before, part) in parts.into_iter().enumerate() {
        if let Err(why) = say(part) {
            let why = match before {
                0 => why,
                _ => format!("{why}; the first {before} of {count} parts arrived"),
            };
            return tell(teller, News::NotSaid { id, why });
        }
    }
    tell(teller, News::Said { id });
}
