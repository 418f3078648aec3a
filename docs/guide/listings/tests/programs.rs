//! Every program of the guide, run. What stands in the book as output is what they print.

mod kit;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use kit::{Program, compare, follow, program, unique};

/// A directory of its own, gone with the guard.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(unique(name));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn serve(program: &str, arguments: &[&str], ready: &str) -> Program {
    let mut server = Program::start(program, arguments);
    if let Some(name) = arguments.iter().find(|argument| argument.starts_with("guide-")) {
        server = server.serving(name);
    }
    server.expect(ready);
    server
}

#[test]
fn the_first_enum() {
    let printed = Program::start("first-enum", &[]).succeed();
    compare("first-enum.txt", &printed, "-", "-");
}

#[test]
fn the_jukebox() {
    let name = unique("jukebox");
    let _server = serve("jukebox-server", &[&name], "the jukebox is open");
    follow("jukebox.txt", &name, "jukebox");
}

#[test]
fn a_client_without_a_server_and_one_of_another_version() {
    let name = unique("versions");
    follow("no-server.txt", &name, "jukebox");
    let _server = serve("party-server", &[&name], "the party is on");
    follow("other-version.txt", &name, "jukebox");
    let second = Program::start("party-server", &[&name]).finish();
    assert!(!second.0, "{second:?}");
    compare("second-server.txt", &second.1, &name, "jukebox");
}

#[test]
fn the_party() {
    let name = unique("party");
    let mut server = serve("party-server", &[&name], "the party is on");
    let mut watch = serve("party-watch", &[&name], "watching");
    let mut ann = serve("party-guest", &[&name, "Take Five", "no"], "0 songs before mine");
    ann.expect("now: Take Five");
    let mut bob = serve("party-guest", &[&name, "So What", "yes"], "1 songs before mine");
    ann.expect("skip Take Five? no");
    server.say("the bar closes at two");
    for listener in [&mut watch, &mut ann, &mut bob] {
        listener.expect("the host: the bar closes at two");
    }
    // Who does not answer, because it is gone, does not mind: the third guest's skip goes through.
    ann.signal("KILL");
    drop(ann);
    let mut eve = serve("party-guest", &[&name, "Blue Train", "yes"], "2 songs before mine");
    for listener in [&mut watch, &mut bob, &mut eve] {
        listener.expect("now: So What");
    }
    server.end_input();
    compare("party-watch.txt", &watch.succeed(), &name, "jukebox");
    compare("party-guest.txt", &bob.succeed(), &name, "jukebox");
    assert!(eve.succeed().ends_with(&["the end: the server stopped".into()]));
    compare("party-server.txt", &server.succeed(), &name, "jukebox");
}

#[test]
fn how_calls_end() {
    let name = unique("coins");
    let mut server = serve("coins-server", &[&name], "the slot is open");
    let mut client = serve("coins-client", &[&name], "connected");
    for (typed, last) in [("50", "credit"), ("3", "only"), ("price 0", "=>"), ("50", "credit")] {
        client.type_line(typed);
        client.wait_for(last, |line| line.starts_with(last));
    }
    compare("coins.txt", &client.succeed(), &name, "coins");
    server.wait_for("the panic", |line| line.contains("attempt to divide by zero"));

    // Stopped, as in a debugger: alive, and silent.
    let mut client = serve("coins-client", &[&name], "connected");
    server.signal("STOP");
    client.type_line("50");
    client.wait_for("the deadline", |line| line.starts_with("=>"));
    server.signal("CONT");
    compare("deadline.txt", &client.succeed(), &name, "coins");

    // Killed, while the request waits in the lane.
    let mut client = serve("coins-client", &[&name], "connected");
    server.signal("STOP");
    client.type_line("50");
    thread::sleep(Duration::from_millis(100));
    server.signal("KILL");
    compare("killed.txt", &client.succeed(), &name, "coins");
}

#[test]
fn a_search_is_answered_later() {
    let directory = Directory::new("search");
    let (name, file) = (unique("search"), directory.file("titles"));
    fs::write(&file, "Take Five\nSo What\nTake the A Train\n").expect("a file");
    let _server = serve("search-server", &[&name, &file], "the desk is open");
    let printed = Program::start("search-client", &[&name, "Take"]).succeed();
    let [ticket, found] = printed.as_slice() else { panic!("two lines, not {printed:?}") };
    assert!(["ticket 1, 0 waiting", "ticket 1, 1 waiting"].contains(&ticket.as_str()), "{ticket}");
    assert_eq!(found, r#"["Take Five", "Take the A Train"]"#);
}

#[test]
fn a_slow_client_hears_some_and_is_told_of_the_rest() {
    let name = unique("meter");
    let server = serve("meter-server", &[&name], "measuring");
    let printed = Program::start("meter-client", &[&name]).succeed();
    let numbers: Vec<u64> = printed
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_digit()))
        .filter_map(|number| number.parse().ok())
        .collect();
    let [heard, missed] = numbers.as_slice() else { panic!("two numbers, not {printed:?}") };
    let said = server.succeed().pop().expect("a last line");
    assert_eq!(said, format!("missed by the client: {missed}"));
    assert!(*missed > 0 && *heard > 0, "{printed:?}");
    assert_eq!(heard + missed, 50_000, "{printed:?}");
}

#[test]
fn signals_end_servers_and_clients_in_order() {
    let name = unique("signals");
    let mut server = serve("stopping-server", &[&name], "serving");
    for (number, signal) in ["INT", "TERM", "KILL"].into_iter().enumerate() {
        let client = serve("stopping-client", &[&name], "connected");
        server.expect(&format!("client {} came", number + 1));
        client.signal(signal);
        let (success, _) = client.finish();
        assert_eq!(success, signal != "KILL");
        server.wait_for("a departure", |line| line.contains("left"));
    }
    let mut last = serve("stopping-client", &[&name], "connected");
    server.expect("client 4 came");
    server.signal("TERM");
    compare("stopping-server.txt", &server.succeed(), &name, "jukebox");
    last.expect("no server any more: the server stopped");
    compare("stopping-client.txt", &last.succeed(), &name, "jukebox");

    let server = serve("stopping-server", &[&name], "serving");
    server.signal("INT");
    assert!(server.succeed().ends_with(&["stopped in order".into()]));

    // Two signals at once: it ends, in order or at once.
    let server = serve("stopping-server", &[&name], "serving");
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        server.signal(signal);
    }
    let (_, printed) = server.finish();
    assert_eq!(printed[0], "serving");
}

#[test]
fn who_may_connect() {
    let own = fs::metadata("/proc/self").expect("this process").uid();
    let (name, guest) = (unique("club"), 4811_u32);
    let (host, guests) = (own.to_string(), guest.to_string());
    let mut server = serve("club-server", &[&name, &host, &guests], "the club is open");
    let printed = Program::start("club-client", &[&name, &host, "Take Five"]).succeed();
    assert_eq!(printed, ["[]"]);
    if own != 0 {
        return; // becoming another user needs root
    }
    // The program must lie where other users may read it.
    let directory = Directory::new("club");
    let file = directory.file("club-client");
    fs::copy(program("club-client"), &file).expect("a copy");
    for path in [directory.0.as_path(), Path::new(&file)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let ask = |user: u32, trusted: &str| {
        let mut command = Command::new(&file);
        let command = command.args([&name, trusted, "So What"]).uid(user).gid(user);
        Program::spawn("club-client", command.current_dir("/")).finish()
    };
    assert_eq!(ask(guest, &host), (true, vec![r#"["So What"]"#.into()]));
    server.expect("user 4811 may not skip");
    let (success, printed) = ask(guest, &guests);
    assert!(!success && printed.concat().contains("belongs to user 0"), "{printed:?}");
    let (success, printed) = ask(guest + 1, &host);
    assert!(!success && printed.concat().contains("does not admit this process"), "{printed:?}");
}

#[test]
fn a_camera_and_its_viewer() {
    let name = unique("camera");
    let mut server = Program::start("camera-server", &[&name]);
    server.expect("the camera is on");
    let printed = Program::start("camera-viewer", &[&name]).succeed();
    compare("camera-server.txt", &server.succeed(), &name, "camera");
    let [size, counts] = printed.as_slice() else { panic!("two lines, not {printed:?}") };
    assert_eq!(size, "1920 × 1080");
    let numbers: Vec<u64> = counts.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [seen, missed, torn] = numbers.as_slice() else { panic!("three numbers: {counts}") };
    assert!(*seen > 0 && seen + missed == 60 && *torn == 0, "{counts}");
}

#[test]
fn thermometers_before_and_after() {
    let directory = Directory::new("thermometer");
    let (name, path) = (unique("thermometer"), directory.file("socket"));
    for (program, place) in [("thermometer-socket", &path), ("thermometer", &name)] {
        let mut server = serve(program, &["serve", place], "serving");
        assert_eq!(Program::start(program, &["read", place]).succeed(), ["20 °C"]);
        let mut watch = serve(program, &["watch", place], "watching");
        server.say("21.5");
        watch.expect("21.5 °C");
        assert_eq!(Program::start(program, &["read", place]).succeed(), ["21.5 °C"]);
        server.end_input();
        assert_eq!(watch.succeed(), ["watching", "21.5 °C"]);
        assert_eq!(server.succeed(), ["serving"]);
    }
}

#[test]
fn two_clients_start_one_server() {
    let name = unique("on-demand");
    // `on-demand-server` is started by the clients.
    let mut clients = [(); 2].map(|()| Program::start("on-demand-client", &[&name]));
    let said = clients.each_mut().map(|client| {
        client.wait_for("a connection", |line| line.starts_with("connected to process"))
    });
    assert_eq!(said[0], said[1], "there are two servers");
    // Both first: the server has the error output of who started it.
    for client in &mut clients {
        client.end_input();
    }
    for client in clients {
        client.succeed();
    }
    let pid = said[0].rsplit(' ').next().expect("a process id").to_owned();
    // It is nobody's child here; it ends with its last client.
    for _ in 0..6000 {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if status.is_empty() || status.contains(") Z") {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(pid.is_empty(), "the server {pid} stays without clients");
}

/// A program that no test runs would be a text like any other.
#[test]
fn no_program_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut commands = include_str!("programs.rs").to_owned();
    for entry in fs::read_dir(root.join("output")).expect("the outputs") {
        commands += &fs::read_to_string(entry.expect("an entry").path()).expect("a text");
    }
    let mut count = 0;
    for entry in fs::read_dir(root.join("src/bin")).expect("the programs") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let is_run = [format!("\"{name}\""), format!("$ {name} "), format!("`{name}`")];
        assert!(is_run.iter().any(|run| commands.contains(run)), "no test runs {name}");
        count += 1;
    }
    println!("{count} programs");
    assert!(count > 20, "only {count} programs were found");
}
