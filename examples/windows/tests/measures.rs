//! What windows cost, and pictures of them for the guide. Nothing here is a test: run each alone.

mod common;

use std::time::{Duration, Instant};

use common::display::{Display, Window};
use common::person::{CLIENT, LIVE, SERVER, paste, say, terminal_chat, wait_for_text};
use common::terminal::Program;
use nix::sys::signal::Signal;
use shmipc_examples::unique_name;
use shmipc_windows::chat::Face;

/// Prints what an idle window costs, and how long frames take while 10,000 lines come in.
#[test]
#[ignore = "it measures: run it alone, built with --release"]
fn measures() {
    let display = Display::start();
    let chat = unique_name("desktop-measures");
    let waiting = display.start_window(CLIENT, &[&chat, "--name", "early", "--connect"], " – ");
    waiting.wait_for_title("waiting");
    println!("a client that waits for its server: {}", cost(&waiting));
    let mut server = display.start_window(SERVER, &[&chat, "--create", "--frame-times"], " – ");
    let mut ann = display.start_window(
        CLIENT,
        &[&chat, "--name", "ann", "--connect", "--frame-times"],
        " – ",
    );
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
    let mut dying = display.start_window(SERVER, &[&chat, "--create"], " – ");
    waiting.wait_for_title("connected");
    let killed = Instant::now();
    dying.signal(Signal::SIGKILL);
    while !waiting.title().contains("gone") {}
    println!("a killed server is to be read in a client's title after {:.0?}", killed.elapsed());
    dying.finish();
    let name = unique_name("desktop-measures");
    let source = Program::start(LIVE, &["serve", &name]);
    let mut watch = display.start_window(LIVE, &["watch", &name, "--frame-times"], " – ");
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
    let server = display.start_window(SERVER, &["room", "--create", "--name", "Mia"], " – ");
    server.wait_for_title("connected");
    let ann = display.start_window(CLIENT, &["room", "--name", "Ann", "--connect"], " – ");
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
    let watch = display.start_window(LIVE, &["watch"], " – ");
    watch.wait_for_title("connected");
    std::thread::sleep(Duration::from_secs(12));
    display.picture("live-data-window", "560x480+0+0");
    drop((source, watch));
}
