//! The serving side, at a terminal.

use std::thread;

use anyhow::{Context as _, Result, anyhow};
use shmipc::Server;
use shmipc_examples::chat::{self, Chat, Desk, Hall, PAUSE};

use crate::screen::{self, Happening, Happenings};

/// Serves the chat until the input ends, or Ctrl-C.
///
/// # Errors
/// The name is taken, or the input cannot be read.
pub(crate) fn run(server: &str, own_name: &str) -> Result<()> {
    let own_name = crate::own_name(own_name)?;
    let hall = Hall::new(own_name.clone());
    let (sender, happenings) = screen::happenings()?;
    let bound = Server::<Chat>::bind(server).map_err(|error| anyhow!(chat::not_bound(&error)))?;
    let desk = Desk::new(hall.clone(), |event| screen::show(&event));
    let running = bound.serve(desk)?;
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
