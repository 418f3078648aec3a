//! The chat's windows as people use them, drawn without a display. Two windows, or a window and a
//! server that this test is, talk through the library as two programs would.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};

use common::{ChatPage, copied, see, settle, type_line, wait_to_see, window};
use eframe::egui;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use shmipc::{Context, Running, Server};
use shmipc_examples::chat::{Chat, ChatEvent, ChatHandler, JoinError, SayError};
use shmipc_examples::unique_name;
use shmipc_windows::chat::Face;
use shmipc_windows::desktop::Page as _;

fn created(chat: &str) -> ChatPage {
    let mut server = window(Face::Server, chat, "server");
    server.get_by_label("Create").click();
    wait_to_see(&mut [&mut server], 0, "serving");
    server
}

fn connected(server: &mut ChatPage, chat: &str, name: &str) -> ChatPage {
    let mut client = window(Face::Client, chat, name);
    client.get_by_label("Connect").click();
    wait_to_see(&mut [&mut client, server], 0, "connected to process");
    client
}

#[test]
fn what_is_written_in_one_window_is_read_in_the_others() {
    let chat = unique_name("windows-talk");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    let mut bob = connected(&mut server, &chat, "bob");
    wait_to_see(&mut [&mut ann, &mut server], 0, "bob joined");

    type_line(&mut ann, "hello from ann");
    wait_to_see(&mut [&mut server, &mut ann, &mut bob], 0, "hello from ann");
    wait_to_see(&mut [&mut bob, &mut ann], 0, "hello from ann");
    // Shift-Enter breaks the line, and the button sends as Enter does.
    ann.get_by_label("Message").type_text("one");
    ann.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::Enter);
    ann.step();
    ann.get_by_label("Message").type_text("two");
    ann.step();
    ann.get_by_label("Send").click();
    wait_to_see(&mut [&mut bob, &mut ann], 0, "two");
    assert!(copied(&mut bob).ends_with("one\ntwo"), "{}", copied(&mut bob));

    bob.get_by_label("Disconnect").click();
    wait_to_see(&mut [&mut ann, &mut bob], 0, "bob left");
    assert!(see(&bob, "not connected"));
    server.get_by_label("Stop").click();
    wait_to_see(&mut [&mut ann, &mut server], 0, "the server stopped; waiting until it is back");
}

#[test]
fn a_client_waits_for_its_server_and_finds_it_again() {
    let chat = unique_name("windows-wait");
    let mut ann = window(Face::Client, &chat, "ann");
    ann.get_by_label("Connect").click();
    wait_to_see(&mut [&mut ann], 0, "yet; waiting");
    // Called off, and on again.
    ann.get_by_label("Disconnect").click();
    wait_to_see(&mut [&mut ann], 0, "not connected");
    ann.get_by_label("Connect").click();
    let mut server = created(&chat);
    wait_to_see(&mut [&mut server, &mut ann], 0, "ann joined");
    wait_to_see(&mut [&mut ann, &mut server], 0, "connected to process");
    server.get_by_label("Stop").click();
    wait_to_see(&mut [&mut ann, &mut server], 0, "waiting until it is back");
    server.get_by_label("Create").click();
    settle(&mut [&mut ann, &mut server], |pages| pages[0].state().title().contains("connected"));
    type_line(&mut ann, "here again");
    wait_to_see(&mut [&mut server, &mut ann], 0, "here again");
}

#[test]
fn what_cannot_be_is_said_in_a_sentence() {
    let chat = unique_name("windows-bad");
    let mut server = created(&chat);
    let mut second = window(Face::Server, &chat, "server");
    second.get_by_label("Create").click();
    wait_to_see(&mut [&mut second, &mut server], 0, "is served by somebody already");

    let mut ann = connected(&mut server, &chat, "ann");
    let mut mask = window(Face::Client, &chat, "Ann");
    mask.get_by_label("Connect").click();
    wait_to_see(&mut [&mut mask, &mut server], 0, "choose another name");
    type_line(&mut ann, "still here");
    wait_to_see(&mut [&mut server, &mut ann], 0, "still here");

    let names = ["", "server: the server stops now", "b\u{200b}ob", "\u{202e}nna", "* bob left"];
    for name in names {
        let mut client = window(Face::Client, &chat, name);
        client.get_by_label("Connect").click();
        wait_to_see(&mut [&mut client], 0, "a name has 1 to 32 letters");
    }
    let chats = ["room/1", "", &"x".repeat(290), "a\0b"];
    for chat in chats {
        for face in [Face::Server, Face::Client] {
            let mut page = window(face, chat, "ann");
            let open = if face == Face::Server { "Create" } else { "Connect" };
            page.get_by_label(open).click();
            wait_to_see(&mut [&mut page], 0, "name");
            // It can be mended, and tried again.
            assert!(page.query_by_label(open).is_some(), "{chat:?} as {face:?}");
        }
    }
}

#[test]
fn a_pasted_megabyte_arrives_whole_and_in_order() {
    let chat = unique_name("windows-long");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    let lines: Vec<String> =
        (0..20_000).map(|number| format!("{number} {}", "é".repeat(30))).collect();
    let long = "x".repeat(100_000);
    let text = format!("{}\n{long}", lines.join("\n"));
    assert!(text.len() > 1 << 20);
    ann.get_by_label("Message").focus();
    ann.step();
    ann.event(egui::Event::Paste(text.clone()));
    ann.run_steps(5);
    // It stands beside the box, which would lay it out anew at each letter.
    assert!(see(&ann, "a pasted text"), "{}", copied(&mut ann));
    ann.get_by_label("Send").click();
    settle(&mut [&mut server, &mut ann], |pages| copied(pages[0]).ends_with(&long));
    assert!(copied(&mut ann).ends_with(&long), "her own window shows it too");
    let arrived = copied(&mut server);
    let (_, arrived) = arrived.split_once("0 é").expect("its first line");
    assert!(format!("0 é{arrived}") == text, "{} bytes of {}", arrived.len() + 3, text.len());
    // What is not seen is not drawn.
    assert!(server.root().children_recursive().count() < 200);
}

#[test]
fn what_turns_text_around_or_is_not_seen_is_shown_as_such() {
    let chat = unique_name("windows-bidi");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    ann.get_by_label("Message").focus();
    ann.step();
    ann.event(egui::Event::Paste("a\u{202e}b\u{200b}c \u{1b}[2J\u{2066}".into()));
    ann.key_press(egui::Key::Enter);
    let shown = "a\u{fffd}b\u{fffd}c \u{fffd}[2J\u{fffd}";
    wait_to_see(&mut [&mut server, &mut ann], 0, shown);
    assert!(see(&ann, shown));
}

/// 200 × 100 points: everything can be scrolled to, and used.
#[test]
fn a_tiny_window_still_works() {
    let chat = unique_name("windows-tiny");
    let mut server = created(&chat);
    let mut ann = window(Face::Client, &chat, "ann");
    ann.set_size(shmipc_windows::desktop::SMALLEST.into());
    ann.step();
    ann.get_by_label("Connect").scroll_to_me();
    ann.run_steps(20);
    ann.get_by_label("Connect").click();
    wait_to_see(&mut [&mut server, &mut ann], 0, "ann joined");
    ann.get_by_label("Message").scroll_to_me();
    ann.run_steps(20);
    type_line(&mut ann, "from a tiny window");
    wait_to_see(&mut [&mut server, &mut ann], 0, "from a tiny window");
    for size in [[1.0, 1.0], [4000.0, 30.0], [30.0, 3000.0], [560.0, 480.0]] {
        ann.set_size(size.into());
        ann.run_steps(3);
    }
    assert!(see(&ann, "from a tiny window"));
}

/// No font of the system is looked at here: what is drawn without a display has only its own.
#[test]
fn letters_that_no_font_shows_are_told() {
    let chat = unique_name("windows-letters");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    type_line(&mut ann, "Jürgen 😀");
    wait_to_see(&mut [&mut server, &mut ann], 0, "Jürgen");
    assert!(!see(&server, "No font on this system"), "{:#?}", common::shown(&server));
    type_line(&mut ann, "小明 שלום");
    wait_to_see(&mut [&mut server, &mut ann], 0, "No font on this system shows: Han, Hebrew.");
}

/// Reading something older is not disturbed by what comes.
#[test]
fn who_scrolled_up_stays_there() {
    let chat = unique_name("windows-scroll");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    for number in 0..200 {
        type_line(&mut ann, &format!("line {number}."));
    }
    wait_to_see(&mut [&mut server, &mut ann], 0, "line 199.");
    let middle = server.get_by_label_contains("line 199.").rect().center();
    server.hover_at(middle);
    server.step();
    server.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: [0.0, 1_000.0].into(),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    server.run_steps(60);
    let first_seen = |page: &ChatPage| {
        let number =
            (0..200).find(|number| page.query_by_label(&format!("line {number}.")).is_some());
        let number = number.expect("some line is seen");
        (number, page.get_by_label(&format!("line {number}.")).rect())
    };
    let before = first_seen(&server);
    assert!(before.0 < 180, "{before:?}");
    type_line(&mut ann, "something new");
    settle(&mut [&mut server, &mut ann], |pages| copied(pages[0]).contains("something new"));
    server.run_steps(5);
    assert_eq!(first_seen(&server), before);
    assert!(!see(&server, "something new"));
    server.get_by_label("Newest").click();
    wait_to_see(&mut [&mut server], 0, "something new");
}

/// A server that does what the test wants of it.
struct Odd {
    come: Sender<shmipc::Peer<ChatEvent>>,
    answers: Receiver<Result<(), SayError>>,
}

impl ChatHandler for Odd {
    fn join(&mut self, cx: &Context<Chat>, _name: String) -> Result<Vec<String>, JoinError> {
        drop(self.come.send(cx.peer().clone()));
        Ok((0..100_000).map(|number| format!("odd {number}")).collect())
    }

    fn say(&mut self, _cx: &Context<Chat>, _lines: Vec<String>) -> Result<(), SayError> {
        // The test is over, or it wants a panic.
        self.answers.recv().expect("an answer")
    }
}

type OddServer = (Running<Chat>, Sender<Result<(), SayError>>, shmipc::Peer<ChatEvent>);

fn at_an_odd_server(chat: &str) -> (OddServer, ChatPage) {
    let ((come, came), (answer, answers)) = (channel(), channel());
    let server = Server::<Chat>::bind(chat).expect("nobody has this name");
    let running = server.serve(Odd { come, answers }).expect("there is room for a thread");
    let mut ann = window(Face::Client, chat, "ann");
    ann.get_by_label("Connect").click();
    wait_to_see(&mut [&mut ann], 0, "connected to process");
    let peer = came.recv().expect("she came");
    ((running, answer, peer), ann)
}

#[test]
fn missed_lines_are_told_and_a_servers_text_cannot_pass_for_the_windows() {
    let chat = unique_name("windows-missed");
    let ((running, _answer, peer), mut ann) = at_an_odd_server(&chat);
    let events = [
        ChatEvent::Missed { lines: 7 },
        ChatEvent::Joined { name: "x\u{202e}y\nz".into() },
        ChatEvent::Said { from: "bob\u{200b}".into(), lines: vec!["one\nserver: two".into()] },
        ChatEvent::Left { name: "\u{1b}]0;x\u{7}".into(), suddenly: true },
    ];
    let telling = std::thread::spawn(move || {
        events.iter().map(|event| peer.call(event).is_ok()).collect::<Vec<_>>()
    });
    let shown =
        ["missed here: 7", "x\u{fffd}y\u{fffd}z joined", "bob\u{fffd}", "one\u{fffd}server: two"];
    for text in shown {
        wait_to_see(&mut [&mut ann], 0, text);
    }
    wait_to_see(&mut [&mut ann], 0, "\u{fffd}]0;x\u{fffd} is gone without a goodbye");
    assert_eq!(telling.join().expect("it told"), [true; 4]);
    running.stop().expect("it stops");
}

/// A server that sends what no person says costs this window a moment, and no more.
#[test]
fn a_server_that_sends_without_measure_is_borne() {
    let chat = unique_name("windows-measure");
    let ((running, _answer, peer), mut ann) = at_an_odd_server(&chat);
    let huge = "x".repeat(1 << 20);
    let telling = std::thread::spawn(move || {
        let events = [
            ChatEvent::Joined { name: huge.clone() },
            ChatEvent::Said { from: huge.clone(), lines: vec![huge.clone(); 20] },
            ChatEvent::Said { from: "odd".into(), lines: vec![String::new(); 300_000] },
            ChatEvent::Left { name: huge, suddenly: false },
            ChatEvent::Said { from: "odd".into(), lines: vec!["the last".into()] },
        ];
        events.iter().map(|event| peer.call(event).is_ok()).collect::<Vec<_>>()
    });
    wait_to_see(&mut [&mut ann], 0, "the last");
    assert_eq!(telling.join().expect("it told"), [true; 5]);
    assert!(copied(&mut ann).len() < 40 << 20);
    assert!(ann.root().children_recursive().count() < 400);
    running.stop().expect("it stops");
}

#[test]
fn what_was_not_said_is_told_and_can_be_sent_again() {
    let chat = unique_name("windows-fate");
    let ((running, answer, _peer), mut ann) = at_an_odd_server(&chat);
    answer.send(Err(SayError::NotJoined)).expect("the server runs");
    type_line(&mut ann, "first");
    wait_to_see(&mut [&mut ann], 0, "not sent: the server does not know you");
    // At the pace of those who read: said again until it is taken.
    answer.send(Err(SayError::Busy)).expect("the server runs");
    answer.send(Ok(())).expect("the server runs");
    ann.get_by_label("Send again").click();
    wait_to_see(&mut [&mut ann], 0, "sent again below");
    settle(&mut [&mut ann], |pages| copied(pages[0]).matches("first").count() == 2);
    assert!(ann.query_by_label("Send again").is_none());
    // A handler that panics costs nothing but what was said to it.
    drop(answer);
    type_line(&mut ann, "second");
    wait_to_see(&mut [&mut ann], 0, "perhaps not sent: the server failed over it");
    assert!(see(&ann, "connected to process"));
    running.stop().expect("it stops");
}

/// The window goes on while a server does not answer, and leaves at once.
#[test]
fn a_server_that_does_not_answer_keeps_no_window() {
    let chat = unique_name("windows-stuck");
    let ((running, answer, _peer), mut ann) = at_an_odd_server(&chat);
    type_line(&mut ann, "into nothing");
    ann.run_steps(10);
    assert!(see(&ann, "into nothing") && !see(&ann, "not sent"));
    ann.get_by_label("Disconnect").click();
    ann.run_steps(5);
    assert!(see(&ann, "not connected") && see(&ann, "perhaps not sent: you left"));
    answer.send(Ok(())).expect("the server runs");
    running.stop().expect("it stops");
}

#[test]
fn ten_thousand_lines_come_whole_and_in_order() {
    let chat = unique_name("windows-flood");
    let mut server = created(&chat);
    let mut ann = connected(&mut server, &chat, "ann");
    let mut bob = window(Face::Client, &chat, "bob");
    bob.get_by_label("Connect").click();
    wait_to_see(&mut [&mut bob, &mut server], 0, "connected to process");
    let lines: Vec<String> = (0..10_000).map(|number| format!("line {number}.")).collect();
    for some in lines.chunks(50) {
        ann.get_by_label("Message").focus();
        ann.step();
        ann.event(egui::Event::Paste(some.join("\n")));
        ann.key_press(egui::Key::Enter);
        for page in [&mut ann, &mut bob, &mut server] {
            page.step();
        }
    }
    settle(&mut [&mut bob, &mut ann, &mut server], |pages| {
        copied(pages[0]).ends_with("line 9999.")
    });
    let text = copied(&mut bob);
    let numbers = text.lines().filter_map(|line| line.strip_prefix("line ")?.strip_suffix('.'));
    let numbers = numbers.map(|number| number.parse::<u64>().expect("a number"));
    assert!(numbers.eq(0..10_000));
    assert!(bob.root().children_recursive().count() < 200);
}
