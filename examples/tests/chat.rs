//! The chat, with pipes for terminals.

mod common;

use common::{Program, run};

const CHAT: &str = env!("CARGO_BIN_EXE_chat");

/// A name that no other test has.
fn name(of: &str) -> String {
    shmipc_examples::unique_name(&format!("chat-test-{of}"))
}

fn serve(name: &str) -> Program {
    let mut server = Program::start(CHAT, &["serve", name]);
    server.expect_line(&format!("* serving {name:?}; type lines, end with Ctrl-D"));
    server
}

fn join(name: &str, nick: &str, here: &str) -> Program {
    let mut guest = Program::start(CHAT, &["join", name, "--name", nick]);
    guest.expect_line(&format!("* joined as {nick}; here: {here}; end with Ctrl-D"));
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
    let dead = "* bob is gone: its process ended without a goodbye";
    ann.expect_line(dead);
    server.expect_line(dead);
    server.kill();
    // Her input is open still: it is the server's end that ends her.
    let ann = ann.finish_with_open_input();
    assert!(!ann.status.success());
    let said = "the server is gone: its process ended without a goodbye";
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
    ann.expect_line("* joined as ann; here: server; end with Ctrl-D");
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
    assert!(second.stderr.contains("is served by"), "{second:#?}");
    let _ann = join(&name, "ann", "server");
    let second = run(CHAT, &["join", &name, "--name", "ann"]);
    assert!(!second.status.success());
    assert!(second.stderr.contains("the name \"ann\" is taken"), "{second:#?}");
    assert!(server.finish().status.success());
}
