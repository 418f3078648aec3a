//! The quickstart as a user runs it.

mod common;

use std::path::Path;

use common::{Program, run, segments_of};

const QUICKSTART: &str = env!("CARGO_BIN_EXE_quickstart");

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

#[test]
fn two_files_agree_and_give_one_line_of_json() {
    let dir = tempfile::tempdir().expect("there is room");
    let (one, two) = (dir.path().join("one.txt"), dir.path().join("two.txt"));
    std::fs::write(&one, "a line\nand another line\n").expect("there is room");
    std::fs::write(&two, "größer als ein Byte\n\n\nlast").expect("there is room");
    let output = run(QUICKSTART, &["--json", "--calls", "50", text(&one), text(&two)]);
    assert!(output.status.success(), "{output:#?}");
    assert_eq!(output.stdout.lines().count(), 1, "{output:#?}");
    let figures: serde_json::Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!(figures["mismatches"], 0);
    assert_eq!(figures["processes"], 5);
    for figure in ["messages", "rtt_p50_ns", "rtt_p99_ns"] {
        assert!(figures[figure].as_u64() > Some(0), "{figures}");
    }
}

#[test]
fn odd_input_agrees() {
    let dir = tempfile::tempdir().expect("there is room");
    let odd: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("not-utf8", b"abc\xff\xfedef\nok\r\n\xc3".to_vec()),
        ("long-line", vec![b'x'; 1 << 20]),
        ("long-words", b"word ".repeat(1 << 18)),
    ];
    let mut arguments = vec!["--calls".to_owned(), "10".to_owned()];
    for (name, bytes) in odd {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("there is room");
        arguments.push(text(&path).to_owned());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let output = run(QUICKSTART, &arguments);
    assert!(output.status.success(), "{output:#?}");
    assert!(output.stdout.contains("everything agreed"), "{output:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("there is room");
    for wrong in [dir.path().join("no-such-file.txt"), dir.path().into()] {
        let output = run(QUICKSTART, &[text(&wrong)]);
        assert!(!output.status.success());
        assert!(output.stderr.contains(text(&wrong)), "{output:#?}");
    }
}

#[test]
fn a_line_that_was_never_sent_is_found_out() {
    let dir = tempfile::tempdir().expect("there is room");
    let file = dir.path().join("file.txt");
    std::fs::write(&file, "lost\nsent\n").expect("there is room");
    let output = run(QUICKSTART, &["--lose-line", "--json", "--calls", "10", text(&file)]);
    assert!(!output.status.success());
    let figures: serde_json::Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert!(figures["mismatches"].as_u64() > Some(0), "{figures}");
    let said = "client 1 says that it sent 2 lines, the server has 1";
    assert!(output.stderr.contains(said), "{output:#?}");
}

/// How many processes this one has started.
fn children_of(pid: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.map_or(0, |pids| pids.split_whitespace().count())
}

#[test]
fn children_end_when_their_parent_is_killed() {
    let mut parent = Program::start(QUICKSTART, &["--calls", "100000000"]);
    let name = format!("quickstart-{}-", parent.id());
    // The server and three clients.
    common::wait_until("all are there", || children_of(parent.id()) == 4);
    parent.kill();
    // They hold the other end of the pipe for standard error until they end, and the server gives
    // its name free.
    let output = parent.finish();
    assert!(!output.status.success());
    common::wait_until("the name is free", || segments_of(&name).is_empty());
}
