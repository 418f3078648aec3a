//! Runs the guide's programs as real processes, and compares what they print with what the book
//! says.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::panic, reason = "a helper fails its test that way")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take. Only a test that hangs gets near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's name that no other run has.
pub fn unique(name: &str) -> String {
    format!("guide-{name}-{}", std::process::id())
}

/// The file of one of the guide's programs.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_first-enum")).with_file_name(name)
}

/// A running program; killed when this is dropped.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
    name: String,
    serves: Option<String>,
}

impl Program {
    /// Starts one of the guide's programs.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::spawn(name, Command::new(program(name)).args(arguments))
    }

    /// Starts a command under this name.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (sender, lines) = channel();
        read(child.stdout.take(), sender.clone());
        read(child.stderr.take(), sender);
        let input = child.stdin.take();
        Self { child, input, lines, seen: Vec::new(), name: name.into(), serves: None }
    }

    /// Says which server's name is to be cleared when the program was killed: what a killed server
    /// leaves goes with the next `bind`, and nobody binds a name that was made for one test.
    pub fn serving(mut self, server: &str) -> Self {
        self.serves = Some(server.into());
        self
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that satisfies the condition, and gives it.
    pub fn wait_for(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if is_it(&line) {
                        return line;
                    }
                }
                Err(error) => panic!("{}: no {what:?} ({error}), but {:?}", self.name, self.seen),
            }
        }
    }

    /// Waits for this line, unless it came before: replies and events have no order between them.
    pub fn expect(&mut self, wanted: &str) {
        if !self.seen.iter().any(|line| line == wanted) {
            self.wait_for(wanted, |line| line == wanted);
        }
    }

    /// Types a line, which the terminal shows.
    pub fn type_line(&mut self, line: &str) {
        self.seen.push(line.into());
        self.say(line);
    }

    /// Gives it a line of input.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").expect("the program reads its input");
    }

    /// Ctrl-D.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Sends a signal: `INT`, `TERM`, `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, signal: &str) {
        let words = [format!("-{signal}"), self.pid().to_string()];
        let status = Command::new("kill").args(words).status().expect("the command `kill`");
        assert!(status.success(), "{}", self.name);
        let state = format!("/proc/{}/stat", self.pid());
        let is_stopped =
            |stat: String| stat.rsplit(')').next().is_some_and(|s| s.starts_with(" T"));
        while signal == "STOP" && !std::fs::read_to_string(&state).map_or(true, is_stopped) {
            thread::yield_now();
        }
    }

    /// Waits for the end; gives whether it was a success, and all that was printed.
    pub fn finish(mut self) -> (bool, Vec<String>) {
        self.end_input();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "{} does not end: {:?}", self.name, self.seen);
            thread::sleep(Duration::from_millis(2));
        };
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        (status.success(), std::mem::take(&mut self.seen))
    }

    /// Waits for a good end; gives all that was printed.
    pub fn succeed(self) -> Vec<String> {
        let name = self.name.clone();
        let (success, lines) = self.finish();
        assert!(success, "{name} failed: {lines:?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only for a program that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(name) = &self.serves {
            // An error means that somebody serves it, or that there is nothing to clear.
            drop(shmipc::Server::<shmipc_guide::first::Jukebox>::bind(name));
        }
    }
}

fn read(pipe: Option<impl Read + Send + 'static>, lines: Sender<String>) {
    let pipe = pipe.expect("it was piped");
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}

fn output(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("output").join(file)
}

/// What the book shows: `output/FILE`.
fn shown(file: &str) -> String {
    let path = output(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares what was printed with what the book shows. With `SHMIPC_GUIDE_WRITE=1` the book shows
/// it from now on; read the difference before it is committed.
fn compare_text(file: &str, printed: &str) {
    if std::env::var_os("SHMIPC_GUIDE_WRITE").is_some() {
        std::fs::write(output(file), printed).expect("the file can be written");
    }
    assert_eq!(
        printed,
        shown(file),
        "output/{file} is not what the programs print; if they are right, SHMIPC_GUIDE_WRITE=1 \
         cargo test -p shmipc-guide writes it, and the text around it must follow"
    );
}

/// Compares lines that one program printed. The word `in_the_book` stands for the server's name.
pub fn compare(file: &str, printed: &[String], server: &str, in_the_book: &str) {
    let lines = printed.iter().map(|line| same_for_all(&line.replace(server, in_the_book)) + "\n");
    compare_text(file, &lines.collect::<String>());
}

/// Runs the commands of `output/FILE` (`$ program argument "argument"`) one after the other and
/// compares what each prints. The word `in_the_book` stands for the server's name.
pub fn follow(file: &str, server: &str, in_the_book: &str) {
    let mut printed = String::new();
    for line in shown(file).lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let words = words(command);
            let mut words =
                words.iter().map(|word| if word == in_the_book { server } else { word });
            let name = words.next().expect("a program");
            let (_, lines) = Program::start(name, &words.collect::<Vec<_>>()).finish();
            printed += &format!("{line}\n");
            for line in lines {
                printed += &same_for_all(&line.replace(server, in_the_book));
                printed.push('\n');
            }
        }
    }
    compare_text(file, &printed);
}

/// Words of a command, in double quotes where they have spaces.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(String::from).collect::<Vec<_>>(),
            _ => vec![part.into()],
        })
        .collect()
}

/// The line without what differs from run to run: process ids are 4711, waits are whole seconds.
pub fn same_for_all(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        result += before;
        let is_wait = after.starts_with(" s:") || after.starts_with(" s;");
        if before.ends_with("pid ") || before.ends_with("process ") {
            result += "4711";
        } else if is_wait && before.ends_with("within ") {
            result += number.split('.').next().unwrap_or(number);
        } else {
            result += number;
        }
        rest = after;
    }
    result + rest
}
