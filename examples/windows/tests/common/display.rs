//! A display of its own for a test, and a person in front of it: windows are found by their titles,
//! clicked and typed at. Needs Xvfb, xdotool, xclip and ImageMagick's `import`.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::{Pos2, Rect};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

use super::terminal::{PATIENCE, wait_until};

/// Between two looks, and two clicks.
const LOOK: Duration = Duration::from_millis(20);

/// An X server without a screen; it ends with the test.
pub struct Display {
    server: RefCell<Child>,
    name: String,
}

impl Display {
    pub fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        let mut number = String::new();
        let stdout = server.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut number).expect("it says its number");
        Self { server: RefCell::new(server), name: format!(":{}", number.trim()) }
    }

    /// The display is lost.
    pub fn lose(&self) {
        let mut server = self.server.borrow_mut();
        server.kill().expect("it runs");
        server.wait().expect("it was started here");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.name).env_remove("WAYLAND_DISPLAY");
        command
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().expect("it is installed")
    }

    fn xdotool(&self, arguments: &[&str]) {
        let output = self.output("xdotool", arguments);
        assert!(output.status.success(), "xdotool {arguments:?}: {output:?}");
    }

    /// Starts a program with a window, and waits for it to be there.
    pub fn start_window(&self, program: &str, arguments: &[&str]) -> Window<'_> {
        let child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut window = Window { display: self, child, id: String::new() };
        let pid = window.child.id().to_string();
        wait_until("the window is there", || {
            let found = self.output("xdotool", &["search", "--onlyvisible", "--pid", &pid]);
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            window.id = found.lines().next().unwrap_or_default().to_owned();
            !window.id.is_empty() && window.title().contains(" – ")
        });
        window
    }

    /// Puts something on the clipboard, text or not.
    pub fn copy(&self, bytes: &[u8]) {
        let mut xclip = self
            .command("xclip")
            .args(["-selection", "clipboard", "-in", "-target", "UTF8_STRING"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("xclip is installed");
        let mut input = xclip.stdin.take().expect("it was piped");
        input.write_all(bytes).expect("it reads");
        drop(input);
        // It goes on in the background, as the clipboard's owner.
        assert!(xclip.wait().expect("it ends").success());
    }

    /// What is on the clipboard.
    pub fn clipboard(&self) -> String {
        let arguments = ["-selection", "clipboard", "-out", "-target", "UTF8_STRING"];
        String::from_utf8_lossy(&self.output("xclip", &arguments).stdout).into_owned()
    }

    /// A picture of the display's left upper part, for people: `target/screens/NAME.png`.
    pub fn picture(&self, name: &str, size: &str) {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../screens");
        fs::create_dir_all(&directory).expect("there is room");
        let path = directory.join(format!("{name}.png"));
        let path = path.to_str().expect("a path that is text");
        let output = self.output("import", &["-window", "root", "-crop", size, "+repage", path]);
        assert!(output.status.success(), "{output:?}");
        let picture = image::open(path).expect("it is a picture").to_rgb8();
        let first = picture.get_pixel(0, 0);
        assert!(picture.pixels().any(|pixel| pixel != first), "{name} shows nothing");
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let server = self.server.get_mut();
        drop(server.kill());
        drop(server.wait());
    }
}

/// A program and its window; killed when this is dropped.
pub struct Window<'d> {
    display: &'d Display,
    child: Child,
    id: String,
}

impl Window<'_> {
    pub fn title(&self) -> String {
        let output = self.display.output("xdotool", &["getwindowname", &self.id]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn wait_for_title(&self, part: &str) {
        wait_until(&format!("a title with {part:?}"), || self.title().contains(part));
    }

    pub fn move_to(&self, x: u32, y: u32) {
        self.display.xdotool(&["windowmove", "--sync", &self.id, &x.to_string(), &y.to_string()]);
    }

    pub fn resize(&self, width: u32, height: u32) {
        let (width, height) = (width.to_string(), height.to_string());
        self.display.xdotool(&["windowsize", &self.id, &width, &height]);
        thread::sleep(LOOK * 10);
    }

    /// Clicks where this was found in the same window drawn without a display.
    pub fn click(&self, place: Rect) {
        let Pos2 { x, y } = place.center();
        let (x, y) = (x.to_string(), y.to_string());
        self.display.xdotool(&["windowfocus", "--sync", &self.id]);
        self.display.xdotool(&["mousemove", "--sync", "--window", &self.id, &x, &y]);
        thread::sleep(LOOK);
        self.display.xdotool(&["click", "1"]);
        thread::sleep(LOOK);
    }

    pub fn key(&self, keys: &str) {
        self.display.xdotool(&["windowfocus", "--sync", &self.id, "key", keys]);
        thread::sleep(LOOK);
    }

    pub fn type_text(&self, text: &str) {
        self.display.xdotool(&["windowfocus", "--sync", &self.id, "type", "--delay", "5", text]);
    }

    /// Closes the window as its cross does.
    pub fn close(&self) {
        let (connection, _) = x11rb::connect(Some(&self.display.name)).expect("it is there");
        let atom = |name: &str| {
            let asked = connection.intern_atom(false, name.as_bytes()).expect("it listens");
            asked.reply().expect("it answers").atom
        };
        let window = self.id.parse().expect("a number");
        let data = [atom("WM_DELETE_WINDOW"), 0, 0, 0, 0];
        let event = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
        let sent = connection.send_event(false, window, EventMask::NO_EVENT, event);
        sent.expect("it listens").check().expect("the window is there");
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the program runs");
    }

    /// Waits for the program's end. Gives what it said on standard error.
    pub fn finish(&mut self) -> (ExitStatus, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            thread::sleep(LOOK);
        };
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                said.push_str(&line);
                said.push('\n');
            }
        }
        (status, said)
    }

    /// Was it a signal that ended it?
    pub fn was_killed(status: ExitStatus) -> bool {
        status.signal().is_some()
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
