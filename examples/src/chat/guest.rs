//! The joining side: one try to be in, and saying lines at the pace of those who read them.

use std::thread;
use std::time::Duration;

use shmipc::{CallError, Caller, Client, ConnectError, Outcome, SendError};

use super::{Chat, ChatClient, ChatEventHandler, JoinError, PAUSE, SayError, words};

/// How long a line may take. Only a server that is stopped takes so long.
const DEADLINE: Duration = Duration::from_secs(10);

/// The link, and the names of those who are there.
pub type Joined = (Client<Chat>, Vec<String>);

/// Why somebody is not in the chat.
#[derive(Debug, thiserror::Error)]
pub enum NotIn {
    /// There is no server, or none that answers: another try may go better.
    #[error("{0}")]
    Yet(String),
    /// Not under this name.
    #[error(transparent)]
    Name(JoinError),
    /// Another try would end like this one.
    #[error("{0}")]
    Ever(String),
}

/// One try to be in the chat `server` as `name`.
///
/// # Errors
/// [`NotIn`], in words for people.
pub fn join(
    server: &str,
    name: &str,
    events: impl ChatEventHandler + Send + 'static,
    patience: Duration,
) -> Result<Joined, NotIn> {
    let builder = Client::<Chat>::builder(server).serve_events(events);
    let connected = builder.deadline(DEADLINE).connect_deadline(patience).connect();
    let chat = connected.map_err(|error| match error {
        ConnectError::NoServer { .. } | ConnectError::NotAnswering { .. } => {
            NotIn::Yet(words::not_connected(&error))
        }
        _ => NotIn::Ever(words::not_connected(&error)),
    })?;
    match chat.join(name.into()) {
        Ok(Ok(present)) => Ok((chat, present)),
        Ok(Err(refused)) => Err(NotIn::Name(refused)),
        // Its server ended between the two.
        Err(
            error @ (CallError::PeerGone { .. }
            | CallError::NotSent(SendError::PeerGone { .. })
            | CallError::Deadline { .. }),
        ) => Err(NotIn::Yet(words::not_answered(&error))),
        Err(error) => Err(NotIn::Ever(words::not_answered(&error))),
    }
}

/// Lines that were not passed on, or perhaps not.
#[derive(Debug)]
pub struct NotSaid {
    /// They, as they were given.
    pub lines: Vec<String>,
    /// In words for people. `None`: it was called off, and certainly not said.
    pub why: Option<String>,
    /// Nobody knows whether they were passed on.
    pub may_have_arrived: bool,
}

/// Says lines, at the pace of those who read them. `is_over` is asked between two tries.
///
/// # Errors
/// [`NotSaid`].
pub fn say(
    chat: &Client<Chat>,
    lines: Vec<String>,
    is_over: impl Fn() -> bool,
) -> Result<(), NotSaid> {
    let message = Chat::Say { lines };
    let (mut why, mut may_have_arrived) = (None, false);
    while !is_over() {
        match chat.request::<Result<(), SayError>>(&message) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(SayError::Busy)) => {
                thread::sleep(PAUSE);
                continue;
            }
            Ok(Err(SayError::NotJoined)) => why = Some("the server does not know you".into()),
            Err(error) => {
                may_have_arrived = error.outcome() != Outcome::NotStarted;
                why = Some(words::not_answered(&error));
            }
        }
        break;
    }
    let lines = if let Chat::Say { lines } = message { lines } else { Vec::new() };
    Err(NotSaid { lines, why, may_have_arrived })
}
