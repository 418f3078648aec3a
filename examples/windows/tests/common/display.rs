//! A display of its own for a test, and a person in front of it: windows are found by their titles,
//! clicked and typed at. Needs Xvfb, xdotool, xclip and ImageMagick's `import`.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
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
        // Numbers that it chooses itself are taken twice when several start at once.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let started = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!(":{}", 1000 + std::process::id() % 500 * 100 + started);
        // Without `-noreset` it begins anew, and refuses whoever comes then, when nobody is left.
        let server = Command::new("Xvfb")
            .args([&name, "-screen", "0", "1400x1000x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        wait_until("the display is there", || x11rb::connect(Some(&name)).is_ok());
        Self { server: RefCell::new(server), name }
    }

    /// The display is lost.
    pub fn lose(&self) {
        let mut server = self.server.borrow_mut();
        server.kill().expect("it runs");
        server.wait().expect("it was started here");
        // What it had no time for.
        let number = self.name.trim_start_matches(':');
        for left in [format!("/tmp/.X{number}-lock"), format!("/tmp/.X11-unix/X{number}")] {
            fs::remove_file(left).ok();
        }
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

    /// Starts a program with a window, and waits for it to be there, with this in its title.
    pub fn start_window(&self, program: &str, arguments: &[&str], title: &str) -> Window<'_> {
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
            if let Some(status) = window.child.try_wait().expect("it can be asked") {
                panic!("it has ended with {status}: {}", window.finish().1);
            }
            let found = self.output("xdotool", &["search", "--onlyvisible", "--pid", &pid]);
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            window.id = found.lines().next().unwrap_or_default().to_owned();
            !window.id.is_empty() && window.title().contains(title)
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
        // It clears its number away.
        let server = self.server.get_mut();
        kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM).ok();
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

    pub fn hide(&self) {
        self.display.xdotool(&["windowunmap", "--sync", &self.id]);
    }

    pub fn unhide(&self) {
        self.display.xdotool(&["windowmap", "--sync", &self.id]);
    }

    /// Clicks where this was found in the same window drawn without a display.
    pub fn click(&self, place: Rect) {
        let Pos2 { x, y } = place.center();
        let (x, y) = (x.to_string(), y.to_string());
        self.display.xdotool(&["windowfocus", "--sync", &self.id]);
        self.display.xdotool(&["mousemove", "--window", &self.id, &x, &y]);
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

    /// What its process has used so far.
    pub fn processor_time(&self) -> Duration {
        let stat = procfs::process::Process::new(self.child.id() as i32).and_then(|it| it.stat());
        let stat = stat.expect("it runs");
        Duration::from_secs_f64(
            (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        )
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
