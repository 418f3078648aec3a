//! What the library's threads tell the window.

use shmipc::Departure;
use shmipc_examples::chat::ChatEvent;
use shmipc_examples::printable;

use super::transcript::MOST_ROWS;
use crate::inbox::Teller;
use crate::standing::Standing;
use crate::text::shown;

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
    /// It was not.
    NotSaid { id: u64, not: Unsaid },
    /// Something else that people should know.
    Note(String),
}

/// Why something was not said, or perhaps not.
#[derive(Debug)]
pub(crate) struct Unsaid {
    pub(crate) why: String,
    pub(crate) may_have_arrived: bool,
}

impl Unsaid {
    /// It certainly was not.
    pub(crate) fn certainly(why: impl Into<String>) -> Self {
        Self { why: why.into(), may_have_arrived: false }
    }
}

/// Bytes that may wait for the window.
pub(crate) const MOST_WAITING: usize = 2 << 20;
/// What news weigh beside their text.
const BESIDES: usize = 64;

/// Tells the window what happened in the chat. What is to be done with others' text is done here,
/// in the library's thread: it may be much.
pub(crate) fn tell_chat(teller: &Teller<News>, event: ChatEvent) {
    let mut weight = BESIDES;
    let event = match event {
        ChatEvent::Said { from, lines } => {
            // More would not be kept.
            let begin = lines.len().saturating_sub(MOST_ROWS);
            let lines: Vec<String> = lines[begin..].iter().map(|line| printable(line)).collect();
            weight += lines.iter().map(|line| line.len() + BESIDES).sum::<usize>();
            ChatEvent::Said { from: shown(&from), lines }
        }
        ChatEvent::Joined { name } => ChatEvent::Joined { name: shown(&name) },
        ChatEvent::Left { name, suddenly } => ChatEvent::Left { name: shown(&name), suddenly },
        ChatEvent::Missed { lines } => ChatEvent::Missed { lines },
    };
    teller.tell(News::Chat(event), weight);
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
    mut say: impl FnMut(Vec<String>) -> Result<(), Unsaid>,
) {
    let count = parts.len();
    for (before, part) in parts.into_iter().enumerate() {
        if let Err(mut not) = say(part) {
            if before > 0 {
                not.why = format!("{}; the first {before} of {count} parts arrived", not.why);
            }
            return tell(teller, News::NotSaid { id, not });
        }
    }
    tell(teller, News::Said { id });
}
