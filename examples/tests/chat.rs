//! The chat, with pipes for terminals; a real one where it matters.

mod common;

use std::io::Write;

use common::{Program, run};
use nix::sys::signal::Signal;

const CHAT: &str = env!("CARGO_BIN_EXE_chat");

/// A name that no other test has.
fn name(of: &str) -> String {
    shmipc_examples::unique_name(&format!("chat-test-{of}"))
}

fn serve(name: &str) -> Program {
    let mut server = Program::start(CHAT, &["serve", name]);
    server.expect_line(&format!("* serving {name:?}; type lines, end with Ctrl-D or Ctrl-C"));
    server
}

fn join(name: &str, nick: &str, here: &str) -> Program {
    let mut guest = Program::start(CHAT, &["join", name, "--name", nick]);
    guest.expect_line(&format!("* joined as {nick}; here: {here}; end with Ctrl-D or Ctrl-C"));
    guest
}

#[test]
fn lines_appear_on_all_others_and_the_servers_end_is_told() {
    let name = name("lines");
    let mut server = serve(&name);
    let mut ann = join(&name, "ann", "server");
    let mut bob = join(&name, "bob", "server, ann");
    ann.expect_line("* bob joined");
    ann.type_line("hello from ann");
    server.expect_line("ann: hello from ann");
    bob.expect_line("ann: hello from ann");
    server.type_line("hello from here");
    ann.expect_line("server: hello from here");
    bob.expect_line("server: hello from here");
    bob.type_line("\u{1b}[2Jbye");
    ann.expect_line("bob: \u{fffd}[2Jbye");
    bob.end_input();
    ann.expect_line("* bob left");
    server.end_input();
    ann.expect_line("* the server stopped");

    let (ann, bob, server) = (ann.finish(), bob.finish(), server.finish());
    for output in [&ann, &bob, &server] {
        assert!(output.status.success(), "{output:#?}");
    }
    assert!(!ann.stdout.contains("ann: hello"), "her own line: {ann:#?}");
}

#[test]
fn deaths_are_told() {
    let name = name("deaths");
    let mut server = serve(&name);
    let mut ann = join(&name, "ann", "server");
    let mut bob = join(&name, "bob", "server, ann");
    bob.kill();
    let dead = "* bob is gone without a goodbye";
    ann.expect_line(dead);
    server.expect_line(dead);
    server.kill();
    // Her input is open still: it is the server's end that ends her.
    let ann = ann.finish_with_open_input();
    assert!(!ann.status.success());
    let said = "the server is gone without a goodbye";
    assert!(ann.stderr.contains(said), "{ann:#?}");
    // Nobody has to clear anything away.
    drop(server);
    assert!(run(CHAT, &["serve", &name]).status.success());
}

#[test]
fn who_is_first_waits() {
    let name = name("first");
    let mut ann = Program::start(CHAT, &["join", &name, "--name", "ann"]);
    ann.expect_line(&format!("* nobody serves {name:?} yet; waiting"));
    // Whoever waits may be in before the server says that it serves.
    let mut server = Program::start(CHAT, &["serve", &name]);
    ann.expect_line("* joined as ann; here: server; end with Ctrl-D or Ctrl-C");
    server.expect_line("* ann joined");
    assert!(ann.finish().status.success());
    assert!(server.finish().status.success());
}

#[test]
fn names_are_unique() {
    let name = name("names");
    let server = serve(&name);
    let second = run(CHAT, &["serve", &name]);
    assert!(!second.status.success());
    assert!(second.stderr.contains("is served by somebody already"), "{second:#?}");
    let _ann = join(&name, "ann", "server");
    let second = run(CHAT, &["join", &name, "--name", "ann"]);
    assert!(!second.status.success());
    assert!(second.stderr.contains("ann is here already"), "{second:#?}");
    assert!(server.finish().status.success());
}

#[test]
fn who_comes_to_a_stopped_server_waits_as_long_as_they_said() {
    let name = name("stopped");
    let mut server = serve(&name);
    server.stop();
    let impatient = run(CHAT, &["join", &name, "--name", "bob", "--wait", "1"]);
    assert!(!impatient.status.success());
    let said = format!("the server of {name:?} does not answer; gave up after 1 s");
    assert!(impatient.stderr.contains(&said), "{impatient:#?}");
    let mut ann = Program::start(CHAT, &["join", &name, "--name", "ann"]);
    ann.expect_line(&format!("* the server of {name:?} does not answer yet; waiting"));
    server.signal(Signal::SIGCONT);
    ann.expect_line("* joined as ann; here: server; end with Ctrl-D or Ctrl-C");
    server.expect_line("* ann joined");
    assert!(ann.finish().status.success());
    assert!(server.finish().status.success());
}

#[test]
fn ctrl_c_takes_leave() {
    let name = name("ctrl-c");
    let waiting = Program::start(CHAT, &["join", &name, "--name", "early"]);
    let mut waiting = waiting;
    waiting.expect_line(&format!("* nobody serves {name:?} yet; waiting"));
    waiting.signal(Signal::SIGINT);
    assert!(waiting.finish_with_open_input().status.success());

    let mut server = serve(&name);
    let mut ann = join(&name, "ann", "server");
    let bob = join(&name, "bob", "server, ann");
    bob.signal(Signal::SIGINT);
    ann.expect_line("* bob left");
    server.expect_line("* bob left");
    assert!(bob.finish_with_open_input().status.success());
    server.signal(Signal::SIGINT);
    ann.expect_line("* the server stopped");
    for output in [ann.finish_with_open_input(), server.finish_with_open_input()] {
        assert!(output.status.success(), "{output:#?}");
        assert!(output.stderr.is_empty(), "{output:#?}");
    }
}

/// At a terminal Ctrl-D sends what stands in the line; with nothing there it ends the program.
#[test]
fn ctrl_d_in_a_line_sends_it_and_alone_it_ends() {
    let name = name("ctrl-d");
    let mut server = serve(&name);
    let terminal = nix::pty::openpty(None, None).expect("there are terminals");
    let arguments = ["join", &name, "--name", "ann"];
    let mut ann = Program::start_with_input(CHAT, &arguments, terminal.slave.into());
    ann.expect_line("* joined as ann; here: server; end with Ctrl-D or Ctrl-C");
    let mut keyboard = std::fs::File::from(terminal.master);
    keyboard.write_all(b"whole\nhalf\x04").expect("it can be typed at");
    server.expect_line("ann: whole");
    server.expect_line("ann: half");
    keyboard.write_all(b"\tmore\n").expect("it can be typed at");
    server.expect_line("ann:     more");
    keyboard.write_all(b"\x04").expect("it can be typed at");
    server.expect_line("* ann left");
    assert!(ann.finish_with_open_input().status.success());
    assert!(server.finish().status.success());
}

#[test]
fn nobody_passes_for_somebody_else() {
    let name = name("masks");
    let mut server = serve(&name);
    let mut ann = join(&name, "ann", "server");
    let long = "x".repeat(5000);
    for mask in
        ["", "server: the server stops now", "* bob left", "b\u{200b}ob", "\u{202e}nna", &long]
    {
        let refused = run(CHAT, &["join", &name, "--name", mask]);
        assert!(!refused.status.success(), "{mask:?}");
        assert!(refused.stderr.contains("a name has 1 to 32 letters"), "{refused:#?}");
    }
    for mask in ["Ann", "\u{430}nn", "server", "SERVER", " ann "] {
        let refused = run(CHAT, &["join", &name, "--name", mask]);
        assert!(!refused.status.success(), "{mask:?}");
        assert!(refused.stderr.contains("or somebody whose name looks like it"), "{refused:#?}");
    }
    ann.type_line("a\tb \u{202e}turned\u{200b} \u{1b}[2J");
    server.expect_line("ann: a    b \u{fffd}turned\u{fffd} \u{fffd}[2J");
    assert!(ann.finish().status.success());
    assert!(server.finish().status.success());
}

/// The numbers that `reader` was told by `from`, and how many lines it was told it missed.
fn told(reader: &str, from: &str) -> (Vec<u64>, u64) {
    let prefix = format!("{from}: ");
    let numbers = reader.lines().filter_map(|line| line.strip_prefix(&prefix));
    let numbers = numbers.map(|number| number.parse().expect("a number")).collect();
    let missed = reader.lines().filter_map(|line| line.strip_prefix("* ")?.split_once(" line"));
    let missed = missed.filter(|(_, rest)| rest.ends_with("missed here"));
    (numbers, missed.map(|(count, _)| count.parse::<u64>().expect("a number")).sum())
}

fn numbers(last: u64) -> String {
    (1..=last).map(|number| number.to_string()).collect::<Vec<_>>().join("\n")
}

/// Who pipes a file in is made to wait for those who read it: nothing is lost.
#[test]
fn every_line_of_a_long_file_arrives() {
    const LAST: u64 = 300_000;
    let name = name("flood");
    let mut server = serve(&name);
    let mut bob = join(&name, "bob", "server");
    let mut ann = join(&name, "ann", "server, bob");
    ann.type_line(&numbers(LAST));
    assert!(ann.finish().status.success());
    bob.expect_line("* ann left");
    // The server's own lines as well, and its end comes behind them.
    server.type_line(&numbers(10_000));
    assert!(server.finish().status.success());
    let bob = bob.finish_with_open_input();
    assert!(bob.status.success(), "{}", bob.stderr);
    let (of_ann, missed) = told(&bob.stdout, "ann");
    assert!(of_ann.iter().copied().eq(1..=LAST), "{} lines", of_ann.len());
    let (of_server, _) = told(&bob.stdout, "server");
    assert!(of_server.iter().copied().eq(1..=10_000), "{} lines", of_server.len());
    assert_eq!(missed, 0);
}

/// Who shows nothing, here a stopped program, keeps the others waiting for a moment only, and is
/// told how many lines it missed.
#[test]
fn who_does_not_read_delays_nobody_for_long_and_is_told_what_it_missed() {
    const LAST: u64 = 100_000;
    let name = name("stuck");
    let server = serve(&name);
    let mut bob = join(&name, "bob", "server");
    let mut carol = join(&name, "carol", "server, bob");
    let mut ann = join(&name, "ann", "server, bob, carol");
    bob.expect_line("* ann joined");
    bob.stop();
    ann.type_line(&numbers(LAST));
    assert!(ann.finish().status.success());
    carol.expect_line("* ann left");
    bob.signal(Signal::SIGCONT);
    let mut dave = join(&name, "dave", "server, bob, carol");
    bob.expect_line("* dave joined");
    dave.end_input();
    assert!(server.finish().status.success());
    let (to_carol, missed) = told(&carol.finish_with_open_input().stdout, "ann");
    assert!(to_carol.iter().copied().eq(1..=LAST), "{} lines", to_carol.len());
    assert_eq!(missed, 0);
    let bob = bob.finish_with_open_input().stdout;
    let (to_bob, missed) = told(&bob, "ann");
    assert!(to_bob.is_sorted() && missed > 0, "{missed} missed");
    // Of what was missed some may be others' coming and going.
    let others = missed + to_bob.len() as u64 - LAST;
    assert!(others <= 1, "{} lines, {missed} missed", to_bob.len());
}
