//! Runs `hello` as a user does.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Far more than it needs; ends the test where something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_second_process_is_greeted_by_the_first() {
    let program = Command::new(env!("CARGO_BIN_EXE_hello"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let first = program.id();
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(program.wait_with_output()));
    let output = ended.recv_timeout(PATIENCE).expect("it ends").expect("it can be waited for");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pid = said.trim_end().strip_prefix("hello world, process ").expect("a greeting");
    let second: u32 = pid.parse().expect("a process id");
    assert_ne!(second, first, "the two are one process");
}
