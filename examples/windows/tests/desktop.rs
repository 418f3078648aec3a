//! The windows on a display, as a person uses them: clicked, typed at, killed, looked at. Pictures
//! for people are in `target/screens` afterwards.

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::display::{Display, Window};
use common::person::{
    CLIENT, FIRST, LIVE, SERVER, copied, open, paste, places, say, terminal_chat, wait_for_text,
};
use common::terminal::{Program, run, wait_until};
use common::{wait_to_see, window};
use egui_kittest::kittest::Queryable as _;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use shmipc_examples::unique_name;
use shmipc_windows::chat::Face;

const SCRIPTS: &str =
    "こんにちは, 你好, 안녕하세요\nمرحبا بالعالم\nשלום עולם\nनमस्ते दुनिया\nสวัสดี\n😀 ❤";

#[test]
fn two_windows_and_a_terminal_talk_and_a_killed_server_is_seen_and_found_again() {
    let display = Display::start();
    let chat = unique_name("desktop-talk");
    let mut server = display.start_window(SERVER, &[&chat], " – ");
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann"], " – ");
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
    let carol = display.start_window(CLIENT, &[&chat, "--name", "carol", "--connect"], " – ");
    carol.move_to(0, 500);
    carol.wait_for_title("waiting");
    let server = display.start_window(SERVER, &[&chat, "--create"], " – ");
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
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"], " – ");
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
    let mut ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"], " – ");
    let mut bob = display.start_window(CLIENT, &[&chat, "--name", "bob", "--connect"], " – ");
    let mut carol = display.start_window(CLIENT, &[&chat, "--name", "carol", "--connect"], " – ");
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
    let ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"], " – ");
    ann.wait_for_title("connected");
    server.expect_line("* ann joined");
    ann.hide();
    let mut bob = Program::start(terminal_chat(), &["join", &chat, "--name", "bob"]);
    bob.expect_line("* joined as bob; here: server, ann; end with Ctrl-D or Ctrl-C");
    // More than may wait for a window.
    let fill = "x".repeat(60);
    let lines: Vec<String> = (0..LAST).map(|number| format!("{number} {fill}")).collect();
    bob.type_line(&lines.join("\n"));
    assert!(bob.finish().status.success());
    server.expect_line("* bob left");
    ann.unhide();
    wait_for_text(&display, &ann, Face::Client, "bob left");
    let text = copied(&display, &ann, Face::Client);
    let told = text.lines().filter_map(|line| line.split_once(&fill)?.0.trim().parse::<u64>().ok());
    assert!(told.eq(0..LAST), "{} lines", text.lines().count());
}

#[test]
fn who_loses_the_display_is_gone_for_the_others() {
    let display = Display::start();
    let chat = unique_name("desktop-lost");
    let mut server = Program::start(terminal_chat(), &["serve", &chat]);
    let mut ann = display.start_window(CLIENT, &[&chat, "--name", "ann", "--connect"], " – ");
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
    let watch = display.start_window(LIVE, &["watch", &name], " – ");
    watch.wait_for_title("waiting");
    let mut source = Program::start(LIVE, &["serve", &name]);
    watch.wait_for_title("connected");
    // Two windows watch the same, each at its own pace.
    let second = display.start_window(LIVE, &["watch", &name], " – ");
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

/// The name can be taken by another user; what is to be read then is a sentence.
#[test]
fn another_users_chat_is_told_as_such() {
    if !geteuid().is_root() {
        eprintln!("not tested: only root can start another user's program");
        return;
    }
    const NOBODY: u32 = 65_534;
    let chat = unique_name("desktop-other");
    // Where this project is other users may not even look.
    let directory = tempfile::tempdir().expect("there is room");
    let program = directory.path().join("chat");
    fs::copy(terminal_chat(), &program).expect("there is room");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let mut server = Command::new(&program)
        .args(["serve", &chat])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let stdout = server.stdout.take().expect("it was piped");
    BufReader::new(stdout).read_line(&mut said).expect("it says something");
    assert!(said.contains("serving"), "{said}");
    for (face, button, sentence) in [
        (Face::Client, "Connect", "is another user's chat"),
        (Face::Server, "Create", "is another user's; choose another"),
    ] {
        let mut page = window(face, &chat, "ann");
        page.get_by_label(button).click();
        wait_to_see(&mut [&mut page], 0, sentence);
    }
    drop(server.stdin.take());
    assert!(server.wait().expect("it was started here").success());
}

/// The guide's program.
#[test]
fn the_first_window_counts() {
    let display = Display::start();
    let name = unique_name("desktop-first");
    let mut server = Program::start(FIRST, &["serve", &name]);
    server.expect_line("counting");
    let one = display.start_window(FIRST, &["show", &name], "count: 0");
    let other = display.start_window(FIRST, &["show", &name], "count: 0");
    other.move_to(0, 500);
    // Its only button: reached by the keyboard.
    one.key("Tab");
    for count in 1..=3 {
        one.key("space");
        one.wait_for_title(&format!("count: {count}"));
        other.wait_for_title(&format!("count: {count}"));
    }
    display.picture("first-window", "400x300+0+0");
    one.close();
    other.key("Tab");
    other.key("space");
    other.wait_for_title("count: 4");
}

/// The places that are clicked are the places of the real thing.
#[test]
fn places_do_not_depend_on_the_chats_name() {
    let one = places(Face::Client, "a", "ann", true);
    let other = places(Face::Client, "another", "someone else", true);
    assert_eq!((one.open, one.copy, one.message), (other.open, other.copy, other.message));
}
