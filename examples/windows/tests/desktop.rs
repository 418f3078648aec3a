//! The windows on a display, as a person uses them: clicked, typed at, killed, looked at. Pictures
//! for people are in `target/screens` afterwards.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use common::display::{Display, Window};
use common::terminal::{Program, run, wait_until};
use common::window;
use eframe::egui::Rect;
use egui_kittest::kittest::Queryable as _;
use nix::sys::signal::Signal;
use shmipc_examples::unique_name;
use shmipc_windows::chat::Face;

const SERVER: &str = env!("CARGO_BIN_EXE_chat-server");
const CLIENT: &str = env!("CARGO_BIN_EXE_chat-client");
const LIVE: &str = env!("CARGO_BIN_EXE_live-data");

/// The chat for terminals, built by the workspace that it is in.
fn terminal_chat() -> &'static str {
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
struct Places {
    open: Rect,
    copy: Rect,
    message: Rect,
}

/// In a window that is connected, or not yet.
fn places(face: Face, chat: &str, name: &str, is_connected: bool) -> Places {
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

fn open(window: &Window<'_>, face: Face, chat: &str, name: &str) {
    window.click(places(face, chat, name, false).open);
    window.wait_for_title("connected");
}

fn say(window: &Window<'_>, face: Face, text: &str) {
    window.click(places(face, "any", "any", true).message);
    window.type_text(text);
    window.key("Return");
}

fn paste(display: &Display, window: &Window<'_>, face: Face, bytes: &[u8]) {
    display.copy(bytes);
    window.click(places(face, "any", "any", true).message);
    window.key("ctrl+v");
    window.key("Return");
}

/// What *Copy all* puts on the clipboard.
fn copied(display: &Display, window: &Window<'_>, face: Face) -> String {
    display.copy(b"nothing yet");
    window.click(places(face, "any", "any", true).copy);
    let mut text = String::new();
    wait_until("something was copied", || {
        text = display.clipboard();
        text != "nothing yet"
    });
    text
}

fn wait_for_text(display: &Display, window: &Window<'_>, face: Face, text: &str) {
    wait_until(text, || copied(display, window, face).contains(text));
}

const SCRIPTS: &str =
    "こんにちは, 你好, 안녕하세요\nمرحبا بالعالم\nשלום עולם\nनमस्ते दुनिया\nสวัสดี\n😀 ❤";

#[test]
fn two_windows_and_a_terminal_talk_and_a_killed_server_is_seen_and_found_again() {
    let display = Display::start();
    let chat = unique_name("desktop-talk");
    let mut server = display.start_window(SERVER, &[&chat]);
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann"]);
    ann.move_to(600, 0);
    open(&server, Face::Server, &chat, "server");
    open(&ann, Face::Client, &chat, "ann");
    let mut bob = Program::start(terminal_chat(), &["join", &chat, "--name", "bob"]);
    bob.expect_line("* joined as bob; here: server, ann; end with Ctrl-D or Ctrl-C");

    say(&ann, Face::Client, "hello, here is Ann");
    bob.expect_line("ann: hello, here is Ann");
    say(&server, Face::Server, "welcome, Ann and Bob");
    bob.expect_line("server: welcome, Ann and Bob");
    bob.type_line("hello from a terminal");
    wait_for_text(&display, &ann, Face::Client, "hello from a terminal");
    paste(&display, &ann, Face::Client, SCRIPTS.as_bytes());
    for line in SCRIPTS.lines() {
        bob.expect_line(&format!("ann: {line}"));
    }
    wait_for_text(&display, &server, Face::Server, SCRIPTS);
    display.picture("conversation", "1160x480+0+0");

    server.signal(Signal::SIGKILL);
    ann.wait_for_title("gone");
    display.picture("server-killed", "1160x480+0+0");
    assert!(Window::was_killed(server.finish().0));
    let carol = display.start_window(CLIENT, &[&chat, "--name", "carol", "--connect"]);
    carol.move_to(0, 500);
    carol.wait_for_title("waiting");
    let server = display.start_window(SERVER, &[&chat, "--create"]);
    ann.wait_for_title("connected");
    carol.wait_for_title("connected");
    say(&ann, Face::Client, "there you are");
    wait_for_text(&display, &server, Face::Server, "there you are");
    wait_for_text(&display, &carol, Face::Client, "there you are");
    wait_for_text(&display, &ann, Face::Client, "the server is gone without a goodbye");
}

#[test]
fn long_text_and_what_is_no_text_do_no_harm() {
    let display = Display::start();
    let chat = unique_name("desktop-long");
    let mut server = Program::start(terminal_chat(), &["serve", &chat]);
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"]);
    ann.wait_for_title("connected");
    server.expect_line("* ann joined");
    let lines: Vec<String> =
        (0..15_000).map(|number| format!("{number} {}", "é".repeat(30))).collect();
    let text = lines.join("\n");
    paste(&display, &ann, Face::Client, text.as_bytes());
    // The text stands beside the box, which moved up by it: Enter was pressed in it all the same.
    for line in &lines {
        server.expect_line(&format!("ann: {line}"));
    }
    assert!(copied(&display, &ann, Face::Client).ends_with(&text));
    paste(&display, &ann, Face::Client, b"no\xfftext\xc3");
    paste(&display, &ann, Face::Client, b"a\x1b[2J\xe2\x80\xaeb");
    server.expect_line("ann: a\u{fffd}[2J\u{fffd}b");
    say(&ann, Face::Client, "still here");
    server.expect_line("ann: still here");
    ann.resize(200, 100);
    display.picture("tiny", "200x100+0+0");
    ann.resize(560, 480);
    say(&ann, Face::Client, "and large again");
    server.expect_line("ann: and large again");
}

#[test]
fn a_window_closed_in_the_middle_of_a_call_leaves_in_order() {
    let display = Display::start();
    let chat = unique_name("desktop-close");
    let mut server = Program::start(terminal_chat(), &["serve", &chat]);
    let mut ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"]);
    let mut bob = display.start_window(CLIENT, &[&chat, "--name", "bob", "--connect"]);
    let mut carol = display.start_window(CLIENT, &[&chat, "--name", "carol", "--connect"]);
    for (window, name) in [(&ann, "ann"), (&bob, "bob"), (&carol, "carol")] {
        window.wait_for_title("connected");
        server.expect_line(&format!("* {name} joined"));
    }
    server.stop();
    say(&ann, Face::Client, "into nothing");
    ann.close();
    bob.signal(Signal::SIGINT);
    carol.signal(Signal::SIGKILL);
    assert!(Window::was_killed(carol.finish().0));
    for window in [&mut ann, &mut bob] {
        let (status, said) = window.finish();
        assert!(status.success(), "{status}: {said}");
    }
    server.signal(Signal::SIGCONT);
    // Once it tells who comes that nobody else is here it has noticed all of them.
    wait_until("everybody is gone", || {
        let dave = run(terminal_chat(), &["join", &chat, "--name", "dave"]);
        dave.stdout.contains("here: server; end")
    });
    let output = server.finish();
    for line in ["* ann left", "* bob left", "* carol is gone without a goodbye"] {
        assert!(output.stdout.contains(line), "{line}: {output:?}");
    }
}

/// A window that nobody sees takes what comes all the same.
#[test]
fn a_hidden_window_keeps_nobody_waiting() {
    const LAST: u64 = 30_000;
    let display = Display::start();
    let chat = unique_name("desktop-hidden");
    let mut server = Program::start(terminal_chat(), &["serve", &chat]);
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"]);
    ann.wait_for_title("connected");
    server.expect_line("* ann joined");
    ann.hide();
    let mut bob = Program::start(terminal_chat(), &["join", &chat, "--name", "bob"]);
    bob.expect_line("* joined as bob; here: server, ann; end with Ctrl-D or Ctrl-C");
    let numbers: Vec<String> = (0..LAST).map(|number| number.to_string()).collect();
    bob.type_line(&numbers.join("\n"));
    assert!(bob.finish().status.success());
    server.expect_line("* bob left");
    ann.unhide();
    wait_for_text(&display, &ann, Face::Client, "bob left");
    let text = copied(&display, &ann, Face::Client);
    let told = text.lines().filter_map(|line| line.parse::<u64>().ok());
    assert!(told.eq(0..LAST), "{} lines", text.lines().count());
}

#[test]
fn who_loses_the_display_is_gone_for_the_others() {
    let display = Display::start();
    let chat = unique_name("desktop-lost");
    let mut server = Program::start(terminal_chat(), &["serve", &chat]);
    let mut ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"]);
    ann.wait_for_title("connected");
    server.expect_line("* ann joined");
    display.lose();
    let (status, said) = ann.finish();
    assert!(!status.success(), "{status}: {said}");
    server.expect_line("* ann is gone without a goodbye");
    let refused = Command::new(CLIENT)
        .arg(&chat)
        .env("DISPLAY", ":59999")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("is there a display?"), "{said}");
}

#[test]
fn live_data_is_plotted_while_its_source_lives() {
    let display = Display::start();
    let name = unique_name("desktop-live");
    let watch = display.start_window(LIVE, &["watch", &name]);
    watch.wait_for_title("waiting");
    let mut source = Program::start(LIVE, &["serve", &name]);
    watch.wait_for_title("connected");
    // Two windows watch the same, each at its own pace.
    let second = display.start_window(LIVE, &["watch", &name]);
    second.move_to(600, 0);
    second.wait_for_title("connected");
    std::thread::sleep(Duration::from_secs(3));
    display.picture("live-data", "1160x480+0+0");
    source.kill();
    watch.wait_for_title("gone");
    second.wait_for_title("gone");
    let source = Program::start(LIVE, &["serve", &name]);
    watch.wait_for_title("connected");
    source.signal(Signal::SIGTERM);
    let output = source.finish();
    assert!(output.status.success(), "{output:?}");
    watch.wait_for_title("gone");
}

/// Prints what an idle window costs, and how long frames take while 10,000 lines come in.
#[test]
#[ignore = "it measures: run it alone, built with --release"]
fn measures() {
    let display = Display::start();
    let chat = unique_name("desktop-measures");
    let waiting = display.start_window(CLIENT, &[&chat, "--name", "early", "--connect"]);
    waiting.wait_for_title("waiting");
    println!("a client that waits for its server: {}", cost(&waiting));
    let mut server = display.start_window(SERVER, &[&chat, "--create", "--frame-times"]);
    let mut ann =
        display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect", "--frame-times"]);
    ann.wait_for_title("connected");
    waiting.wait_for_title("connected");
    println!("a client, connected and idle: {}", cost(&ann));
    println!("its server, idle: {}", cost(&server));
    let mut bob = Program::start(terminal_chat(), &["join", &chat, "--name", "bob"]);
    let lines: Vec<String> =
        (0..10_000).map(|number| format!("This is line {number} of many.")).collect();
    bob.type_line(&lines.join("\n"));
    assert!(bob.finish().status.success());
    wait_for_text(&display, &ann, Face::Client, "bob left");
    for window in [&mut ann, &mut server] {
        window.close();
        println!("{}", window.finish().1);
    }
    let name = unique_name("desktop-measures");
    let source = Program::start(LIVE, &["serve", &name]);
    let mut watch = display.start_window(LIVE, &["watch", &name, "--frame-times"]);
    watch.wait_for_title("connected");
    println!("a window that plots live data: {}", cost(&watch));
    drop(source);
    watch.close();
    println!("{}", watch.finish().1);
}

/// Processor time in 20 seconds.
fn cost(window: &Window<'_>) -> String {
    const SECONDS: u64 = 20;
    std::thread::sleep(Duration::from_secs(2));
    let before = window.processor_time();
    std::thread::sleep(Duration::from_secs(SECONDS));
    let ms = (window.processor_time() - before).as_secs_f64() * 1e3;
    format!(
        "{ms:.0} ms of processor time in {SECONDS} s, {:.2} % of one processor",
        ms / 10.0 / SECONDS as f64
    )
}

/// Pictures for the guide, with names that people would choose.
#[test]
#[ignore = "it serves chats called room and live-data: run it alone"]
fn pictures() {
    let display = Display::start();
    let server = display.start_window(SERVER, &["room", "--create", "--name", "Mia"]);
    server.wait_for_title("connected");
    let ann = display.start_window(CLIENT, &["room", "--name", "Ann", "--connect"]);
    ann.move_to(580, 0);
    ann.wait_for_title("connected");
    let mut bob = Program::start(terminal_chat(), &["join", "room", "--name", "Bob"]);
    bob.expect_line("* joined as Bob; here: Mia, Ann; end with Ctrl-D or Ctrl-C");
    say(&ann, Face::Client, "Hello Mia, can you read this?");
    say(&server, Face::Server, "Hello Ann. Yes, at once.");
    bob.type_line("Hello from a terminal.");
    wait_for_text(&display, &server, Face::Server, "terminal.");
    paste(
        &display,
        &ann,
        Face::Client,
        "你好, こんにちは, 안녕하세요\nمرحبا, שלום, नमस्ते, สวัสดี".as_bytes(),
    );
    wait_for_text(&display, &server, Face::Server, "你好");
    wait_for_text(&display, &ann, Face::Client, "你好");
    display.picture("two-windows", "1140x480+0+0");
    drop((server, ann, bob));
    let source = Program::start(LIVE, &["serve"]);
    let watch = display.start_window(LIVE, &["watch"]);
    watch.wait_for_title("connected");
    std::thread::sleep(Duration::from_secs(12));
    display.picture("live-data-window", "560x480+0+0");
    drop((source, watch));
}

/// The places that are clicked are the places of the real thing.
#[test]
fn places_do_not_depend_on_the_chats_name() {
    let one = places(Face::Client, "a", "ann", true);
    let other = places(Face::Client, "another", "someone else", true);
    assert_eq!((one.open, one.copy, one.message), (other.open, other.copy, other.message));
}
