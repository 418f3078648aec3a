//! What a person does with the windows: finds the buttons, clicks, types, copies.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use eframe::egui::Rect;
use egui_kittest::kittest::Queryable as _;
use shmipc_examples::unique_name;
use shmipc_windows::chat::Face;

use super::display::{Display, Window};
use super::terminal::wait_until;
use super::window;

pub const SERVER: &str = env!("CARGO_BIN_EXE_chat-server");
pub const CLIENT: &str = env!("CARGO_BIN_EXE_chat-client");
pub const FIRST: &str = env!("CARGO_BIN_EXE_first-window");
pub const LIVE: &str = env!("CARGO_BIN_EXE_live-data");

/// The chat for terminals, built by the workspace that it is in.
pub fn terminal_chat() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "shmipc-examples", "--bin", "chat"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let said = String::from_utf8_lossy(&built.stdout);
        let (_, path) = said.rsplit_once("\"executable\":\"").expect("it names the program");
        path.split('"').next().unwrap_or_default().to_owned()
    })
}

/// Where something is: asked of the same window drawn without a display.
pub struct Places {
    pub open: Rect,
    pub copy: Rect,
    pub message: Rect,
}

/// In a window that is connected, or not yet.
pub fn places(face: Face, chat: &str, name: &str, is_connected: bool) -> Places {
    let other = unique_name("places");
    let mut page = window(face, chat, name);
    let (open, close) = match face {
        Face::Server => ("Create", "Stop"),
        Face::Client => ("Connect", "Disconnect"),
    };
    if is_connected {
        // What is on the button is another width: any chat of its own will do.
        page = window(face, &other, name);
        page.get_by_label(open).click();
    }
    page.run_steps(3);
    let label = if is_connected { close } else { open };
    Places {
        open: page.get_by_label(label).rect(),
        copy: page.get_by_label("Copy all").rect(),
        message: page.get_by_label("Message").rect(),
    }
}

pub fn open(window: &Window<'_>, face: Face, chat: &str, name: &str) {
    window.click(places(face, chat, name, false).open);
    window.wait_for_title("connected");
}

pub fn say(window: &Window<'_>, face: Face, text: &str) {
    window.click(places(face, "any", "any", true).message);
    window.type_text(text);
    window.key("Return");
}

pub fn paste(display: &Display, window: &Window<'_>, face: Face, bytes: &[u8]) {
    display.copy(bytes);
    window.click(places(face, "any", "any", true).message);
    window.key("ctrl+v");
    window.key("Return");
}

/// What *Copy all* puts on the clipboard.
pub fn copied(display: &Display, window: &Window<'_>, face: Face) -> String {
    display.copy(b"nothing yet");
    window.click(places(face, "any", "any", true).copy);
    let mut text = String::new();
    wait_until("something was copied", || {
        text = display.clipboard();
        text != "nothing yet"
    });
    text
}

pub fn wait_for_text(display: &Display, window: &Window<'_>, face: Face, text: &str) {
    wait_until(text, || copied(display, window, face).contains(text));
}
