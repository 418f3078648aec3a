//! The chat in windows: the classic demonstration, a server's window and its clients'.
//!
//! They speak the protocol of the terminals ([`shmipc_examples::chat`]), so that windows and
//! terminals meet in one chat.

mod draft;
mod guest;
mod host;
mod letters;
mod news;
mod rows;
mod transcript;
mod view;
mod window;

pub use window::{ChatWindow, Face};
