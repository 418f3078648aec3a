//! The jukebox with events.

// ANCHOR: protocol
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a guest may say to the jukebox.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = JukeboxEvent)]
pub enum Jukebox {
    Skip,
    #[shm(reply = u32)]
    Add {
        title: String,
    },
    #[shm(reply = Vec<String>)]
    Queue,
}

/// What the jukebox may say to its guests.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum JukeboxEvent {
    /// A song begins.
    Playing { title: String },
    /// The host says something.
    Announcement { text: String },
    /// Somebody wants to skip your song. Do you agree?
    #[shm(reply = bool)]
    MaySkip { title: String },
}
// ANCHOR_END: protocol

// ANCHOR: handler
use std::collections::VecDeque;
use std::time::Duration;

use shmipc::{Context, Peer};

/// How long a guest may think about a question.
const PATIENCE: Duration = Duration::from_millis(500);

struct Song {
    title: String,
    /// The guest who added it. A peer may be kept, also after the handler returned.
    owner: Peer<JukeboxEvent>,
}

#[derive(Default)]
pub struct Party {
    songs: VecDeque<Song>,
}

impl Party {
    /// Tells all guests what plays now.
    fn announce(&self, cx: &Context<Jukebox>) {
        if let Some(song) = self.songs.front() {
            cx.server().broadcast(&JukeboxEvent::Playing { title: song.title.clone() });
        }
    }

    /// May this guest end the song that plays?
    fn may_skip(&self, cx: &Context<Jukebox>, song: &Song) -> bool {
        if song.owner.id() == cx.peer().id() {
            return true;
        }
        // A question to one guest. Who is gone, or does not answer in time, does not mind.
        let owner = song.owner.with_deadline(PATIENCE);
        owner.may_skip(song.title.clone()).unwrap_or(true)
    }
}

impl JukeboxHandler for Party {
    fn skip(&mut self, cx: &Context<Jukebox>) {
        if self.songs.front().is_some_and(|song| self.may_skip(cx, song)) {
            self.songs.pop_front();
            self.announce(cx);
        }
    }

    fn add(&mut self, cx: &Context<Jukebox>, title: String) -> u32 {
        self.songs.push_back(Song { title, owner: cx.peer().clone() });
        if self.songs.len() == 1 {
            self.announce(cx);
        }
        (self.songs.len() - 1) as u32
    }

    fn queue(&mut self, _cx: &Context<Jukebox>) -> Vec<String> {
        self.songs.iter().map(|song| song.title.clone()).collect()
    }
}
// ANCHOR_END: handler
