//! The serving side: passes every line on to everybody else.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use shmipc::{Context, Departure, Server};

use crate::hall::Hall;
use crate::protocol::{Chat, ChatEvent, ChatHandler, JoinError, SayError};
use crate::screen::{self, Happening, Happenings};
use crate::{name, words};

/// Pause before saying again what the others were too busy for.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// Serves the chat until the input ends, or Ctrl-C.
///
/// # Errors
/// The name is taken, or the input cannot be read.
pub(crate) fn run(server: &str, own_name: &str) -> Result<()> {
    let own_name = name::checked(own_name)?;
    let hall = Hall::new(own_name.clone());
    let (sender, happenings) = screen::happenings()?;
    let bound = Server::<Chat>::bind(server).map_err(|error| anyhow!(words::not_bound(&error)))?;
    let running = bound.serve(Desk { hall: hall.clone() })?;
    screen::line(&format!("* serving {server:?}; type lines, end with Ctrl-D or Ctrl-C"));
    screen::read_input(sender)?;
    let ended = speak(&hall, &own_name, &happenings);
    hall.settle();
    running.stop()?;
    ended
}

fn speak(hall: &Hall, own_name: &str, happenings: &Happenings) -> Result<()> {
    while let Some(happening) = happenings.next() {
        match happening {
            Happening::Typed(lines) => {
                while hall.say(None, own_name, &lines).is_err() && !screen::is_interrupted() {
                    thread::sleep(PAUSE);
                }
            }
            Happening::InputEnded(ended) => return ended.context("cannot read the input"),
            Happening::Interrupted => return Ok(()),
            Happening::Gone(_) | Happening::Joined(_) => {}
        }
    }
    Ok(())
}

/// Handles what those who joined say.
struct Desk {
    hall: Hall,
}

impl ChatHandler for Desk {
    fn join(&mut self, cx: &Context<Chat>, name: String) -> Result<Vec<String>, JoinError> {
        let present = self.hall.join(cx.peer(), &name)?;
        if let Some(name) = self.hall.name_of(cx.peer().id()) {
            screen::show(&ChatEvent::Joined { name });
        }
        Ok(present)
    }

    fn say(&mut self, cx: &Context<Chat>, lines: Vec<String>) -> Result<(), SayError> {
        let id = cx.peer().id();
        let from = self.hall.name_of(id).ok_or(SayError::NotJoined)?;
        self.hall.say(Some(id), &from, &lines)?;
        screen::show(&ChatEvent::Said { from, lines });
        Ok(())
    }

    fn peer_departed(&mut self, cx: &Context<Chat>, departure: &Departure) {
        // When the server itself stops, its clients learn that from their links.
        if *departure == Departure::ClosedHere {
            return;
        }
        let suddenly = *departure != Departure::Closed;
        if let Some(name) = self.hall.leave(cx.peer().id(), suddenly) {
            screen::show(&ChatEvent::Left { name, suddenly });
        }
    }
}
