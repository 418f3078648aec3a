//! What the tests have in common: windows that are drawn without a display.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::panic, reason = "a helper fails its test that way")]

pub mod display;
pub mod person;
/// Programs at a terminal: what the other examples' tests have in common.
#[path = "../../../tests/common/mod.rs"]
pub mod terminal;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, OutputCommand};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use shmipc_windows::chat::{ChatWindow, Face};
use shmipc_windows::desktop::{self, Page};

use terminal::PATIENCE;

pub type ChatPage = Harness<'static, ChatWindow>;

/// A page without a display, in a window's usual size.
pub fn page<P: Page + 'static>(page: P) -> Harness<'static, P> {
    Harness::builder()
        .with_size(desktop::SIZE)
        .allow_missing_glyphs()
        .with_context_setup(desktop::set_style)
        .build_ui_state(
            |ui, page: &mut P| {
                page.take_news();
                page.ui(ui);
            },
            page,
        )
}

/// A chat's window. Nothing has to wake it: the tests draw it again and again.
pub fn window(face: Face, chat: &str, name: &str) -> ChatPage {
    page(ChatWindow::new(face, chat.into(), name.into(), Arc::new(|| {})))
}

/// Is this to be seen, now?
pub fn see<P>(page: &Harness<'static, P>, text: &str) -> bool {
    page.query_all_by_label_contains(text).next().is_some()
}

/// All texts that are to be seen.
pub fn shown<P>(page: &Harness<'static, P>) -> Vec<String> {
    let nodes = page.root().children_recursive();
    let texts = nodes.filter_map(|node| {
        let node = node.accesskit_node();
        if node.role() == Role::TextRun { None } else { node.value().or_else(|| node.label()) }
    });
    texts.map(|text| text.chars().take(200).collect()).collect()
}

/// Draws all of them until something is so.
pub fn settle<P>(
    pages: &mut [&mut Harness<'static, P>],
    mut is_so: impl FnMut(&mut [&mut Harness<'static, P>]) -> bool,
) {
    let started = Instant::now();
    while !is_so(pages) {
        assert!(
            started.elapsed() < PATIENCE,
            "it does not become so; shown: {:#?}",
            shown(pages[0])
        );
        pages.iter_mut().for_each(|page| page.step());
        thread::sleep(Duration::from_millis(2));
    }
}

/// Draws all of them until a text is to be seen in one.
pub fn wait_to_see<P>(pages: &mut [&mut Harness<'static, P>], which: usize, text: &str) {
    let started = Instant::now();
    while !see(pages[which], text) {
        let shown = || shown(pages[which]);
        assert!(started.elapsed() < PATIENCE, "{text:?} is not seen in {:#?}", shown());
        pages.iter_mut().for_each(|page| page.step());
        thread::sleep(Duration::from_millis(2));
    }
    // What was drawn before it in the same frame does not know of it yet.
    pages[which].step();
}

/// Types a line into the box to write in, and presses Enter.
pub fn type_line(page: &mut ChatPage, line: &str) {
    page.get_by_label("Message").focus();
    page.get_by_label("Message").type_text(line);
    page.step();
    page.key_press(Key::Enter);
    page.step();
}

/// What *Copy all* puts on the clipboard.
pub fn copied(page: &mut ChatPage) -> String {
    page.get_by_label("Copy all").click();
    for _ in 0..3 {
        page.step();
        for command in &page.output().platform_output.commands {
            if let OutputCommand::CopyText(text) = command {
                return text.clone();
            }
        }
    }
    panic!("nothing was copied");
}
