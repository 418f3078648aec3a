//! The jukebox of the first three chapters.

use std::collections::VecDeque;

// ANCHOR: enum
use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a client may say to the jukebox.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Jukebox {
    /// A notice: the song that plays ends now. Nobody waits for an answer.
    Skip,
    /// A request. The answer is the number of songs that come first.
    #[shm(reply = u32)]
    Add { title: String },
    /// A request without fields. The answer is all titles, the one that plays first.
    #[shm(reply = Vec<String>)]
    Queue,
}
// ANCHOR_END: enum

// ANCHOR: handler
use shmipc::Context;

/// The jukebox itself: the songs, the one that plays first.
#[derive(Debug, Default)]
pub struct Player {
    songs: VecDeque<String>,
}

impl JukeboxHandler for Player {
    fn skip(&mut self, _cx: &Context<Jukebox>) {
        self.songs.pop_front();
    }

    fn add(&mut self, _cx: &Context<Jukebox>, title: String) -> u32 {
        self.songs.push_back(title);
        (self.songs.len() - 1) as u32
    }

    fn queue(&mut self, _cx: &Context<Jukebox>) -> Vec<String> {
        self.songs.iter().cloned().collect()
    }
}
// ANCHOR_END: handler
