//! The serving side: passes every line on to everybody else.

use shmipc::{Context, Departure};

use super::{Chat, ChatEvent, ChatHandler, Hall, JoinError, SayError};

/// Handles what those who joined say, and shows it.
#[derive(Debug)]
pub struct Desk<S> {
    hall: Hall,
    show: S,
}

impl<S: FnMut(ChatEvent) + Send + 'static> Desk<S> {
    /// A desk in front of `hall`. `show` is called in the server's listener thread.
    pub fn new(hall: Hall, show: S) -> Self {
        Self { hall, show }
    }
}

impl<S: FnMut(ChatEvent) + Send + 'static> ChatHandler for Desk<S> {
    fn join(&mut self, cx: &Context<Chat>, name: String) -> Result<Vec<String>, JoinError> {
        let present = self.hall.join(cx.peer(), &name)?;
        if let Some(name) = self.hall.name_of(cx.peer().id()) {
            (self.show)(ChatEvent::Joined { name });
        }
        Ok(present)
    }

    fn say(&mut self, cx: &Context<Chat>, lines: Vec<String>) -> Result<(), SayError> {
        let id = cx.peer().id();
        let from = self.hall.name_of(id).ok_or(SayError::NotJoined)?;
        self.hall.say(Some(id), &from, &lines)?;
        (self.show)(ChatEvent::Said { from, lines });
        Ok(())
    }

    fn peer_departed(&mut self, cx: &Context<Chat>, departure: &Departure) {
        // When the server itself stops, its clients learn that from their links.
        if *departure == Departure::ClosedHere {
            return;
        }
        let suddenly = *departure != Departure::Closed;
        if let Some(name) = self.hall.leave(cx.peer().id(), suddenly) {
            (self.show)(ChatEvent::Left { name, suddenly });
        }
    }
}
