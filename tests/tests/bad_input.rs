//! Whatever is wrong gets its own error, which says what, and nothing is left behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use shmipc::{
    BindError, CallError, Client, ConfigError, ConnectError, Departure, Difference, NameError,
    Outcome, Refusal, Running, SendError, Server,
};
use shmipc_tests::handler::{Measurer, Prober};
use shmipc_tests::process::{PeerProcess, in_a_small_shared_memory};
use shmipc_tests::protocol::{Borrowed, Probe, ProbeClient, pattern};
use shmipc_tests::{Watchdog, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const SHORT: Duration = Duration::from_millis(100);

fn serve(test: &str) -> (String, Running<Probe>) {
    let name = unique_name(test);
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    (name, running)
}

fn connect(name: &str) -> Result<Client<Probe>, ConnectError> {
    Client::<Probe>::builder(name).connect_deadline(SHORT).connect()
}

fn registry(name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/shmipc.r.{name}"))
}

/// A registry as a file of one's own, with a living "server": its lock is held by the file given
/// back.
fn forge(name: &str, bytes: &[u8]) -> File {
    fs::write(registry(name), bytes).unwrap();
    fs::set_permissions(registry(name), fs::Permissions::from_mode(0o600)).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(registry(name)).unwrap();
    // SAFETY: plain numbers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as i16;
    lock.l_len = 1;
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    file
}

/// A copy of a real registry with some bytes changed.
fn forge_from(real: &str, name: &str, offset: u64, bytes: &[u8]) -> File {
    let file = forge(name, &fs::read(registry(real)).unwrap());
    file.write_all_at(bytes, offset).unwrap();
    file
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[test]
fn names_that_cannot_be() {
    let long = "x".repeat(129);
    for name in ["", long.as_str(), "a/b", "a\0b"] {
        let bind = Server::<Probe>::bind(name).unwrap_err();
        let connect = connect(name).unwrap_err();
        match (bind, connect) {
            (BindError::Name(bind), ConnectError::Name(connect)) => {
                assert_eq!(bind, connect);
                let right = match name.len() {
                    0 => matches!(bind, NameError::Empty { .. }),
                    129 => matches!(bind, NameError::TooLong { length: 129, maximum: 128 }),
                    _ => matches!(bind, NameError::ForbiddenCharacter { offset: 1, .. }),
                };
                assert!(right, "{bind:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    // As long as allowed, and odd, is fine.
    let name =
        format!("{}…", &unique_name("odd name: ")[..60.min(unique_name("odd name: ").len())]);
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    assert!(connect(&name).unwrap().process_id().is_ok());
    running.stop().unwrap();
}

#[test]
fn no_server_until_the_deadline() {
    let error = connect(&unique_name("nobody")).unwrap_err();
    match &error {
        ConnectError::NoServer { waited, stale: false, .. } => assert!(*waited >= SHORT),
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("start it"), "{error}");
}

#[test]
fn a_client_that_is_first_waits_for_its_server() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("first");
    let waiting = {
        let name = name.clone();
        std::thread::spawn(move || Client::<Probe>::connect(&name).unwrap().process_id().unwrap())
    };
    std::thread::sleep(Duration::from_millis(200));
    let _running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    assert_eq!(waiting.join().unwrap(), std::process::id());
}

#[test]
fn a_server_that_does_not_serve_yet_is_not_answering() {
    let name = unique_name("bound");
    let server = Server::<Probe>::bind(&name).unwrap();
    match connect(&name).unwrap_err() {
        ConnectError::NotAnswering { pid, .. } => assert_eq!(pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    drop(server);
}

#[test]
fn a_second_bind_is_refused_with_the_pid_that_serves() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("second");
    let mut server = PeerProcess::start(PEER, &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let error = Server::<Probe>::bind(&name).unwrap_err();
    match &error {
        BindError::AlreadyServed { pid, .. } => assert_eq!(*pid, server.pid()),
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains(&server.pid().to_string()));
    // The first one did not notice.
    assert_eq!(connect(&name).unwrap().process_id().unwrap(), server.pid());
}

#[test]
fn a_stale_segment_is_no_server_and_is_taken_over() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("stale");
    let mut server = PeerProcess::start(PEER, &["serve", &name]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    server.kill();
    assert!(registry(&name).exists());
    let error = connect(&name).unwrap_err();
    assert!(matches!(error, ConnectError::NoServer { stale: true, .. }), "{error:?}");
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    assert_eq!(connect(&name).unwrap().process_id().unwrap(), std::process::id());
    running.stop().unwrap();
    assert!(!registry(&name).exists());
}

#[test]
fn another_protocol() {
    let name = unique_name("protocol");
    let server = Server::<Borrowed<'_>>::bind(&name).unwrap();
    let _running = server.serve(Measurer).unwrap();
    match connect(&name).unwrap_err() {
        ConnectError::OtherProtocol { found, expected, .. } => {
            assert_eq!((found.as_str(), expected.as_str()), ("Borrowed", "Probe"));
        }
        other => panic!("{other:?}"),
    }
}

mod newer {
    use serde::{Deserialize, Serialize};

    /// `Probe` as a later build might have it.
    #[derive(Debug, Serialize, Deserialize, shmipc::ShmMessage)]
    pub(super) enum Probe {
        Number {
            thread: u32,
            number: u64,
        },
        #[shm(reply = (u64, u64))]
        Numbers,
        #[shm(reply = Vec<u8>)]
        Echo {
            bytes: Vec<u8>,
            twice: bool,
        },
        Whole,
    }
}

#[test]
fn another_version_of_the_enum_names_the_variants_that_differ() {
    let (name, _running) = serve("version");
    let error = Client::<newer::Probe>::builder(&name).connect_deadline(SHORT).connect();
    let error = error.unwrap_err();
    match &error {
        ConnectError::OtherVersion { protocol, differences, .. } => {
            assert_eq!(protocol, "Probe");
            for expected in [
                Difference::Changed("Echo".into()),
                Difference::OnlyHere("Whole".into()),
                Difference::OnlyServer("Slow".into()),
            ] {
                assert!(differences.contains(&expected), "{expected:?} in {differences:?}");
            }
            assert!(!differences.contains(&Difference::Changed("Number".into())));
            let events = |difference: &Difference| matches!(difference, Difference::Events { .. });
            assert!(differences.iter().any(events));
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("`Echo` has other fields"), "{error}");
}

#[test]
fn another_layout_version() {
    let (real, _running) = serve("layout");
    let name = unique_name("layout");
    let _file = forge_from(&real, &name, 8, &77_u32.to_le_bytes());
    match connect(&name).unwrap_err() {
        ConnectError::LayoutVersion { found: 77, expected, .. } => assert_ne!(expected, 77),
        other => panic!("{other:?}"),
    }
    fs::remove_file(registry(&name)).unwrap();
}

#[test]
fn not_ours_truncated_or_empty() {
    let (real, _running) = serve("pieces");
    let name = unique_name("pieces");

    let file = forge(&name, &[b'x'; 20_000]);
    assert!(matches!(connect(&name).unwrap_err(), ConnectError::NotOurs { .. }));
    drop(file);

    let whole = fs::read(registry(&real)).unwrap();
    let longer = (whole.len() as u64 + 4096).to_le_bytes();
    let file = forge_from(&real, &name, 16, &longer);
    match connect(&name).unwrap_err() {
        ConnectError::Truncated { length, expected, .. } => {
            assert_eq!((length, expected), (whole.len() as u64, whole.len() as u64 + 4096));
        }
        other => panic!("{other:?}"),
    }
    drop(file);

    let file = forge(&name, &whole[..100]);
    assert!(matches!(connect(&name).unwrap_err(), ConnectError::Truncated { length: 100, .. }));
    drop(file);

    let file = forge(&name, &[]);
    assert!(matches!(connect(&name).unwrap_err(), ConnectError::Truncated { length: 0, .. }));
    drop(file);

    // Nobody has to clean up: whatever it is, it has no living server.
    let running = Server::<Probe>::bind(&name).unwrap().serve(Prober::default()).unwrap();
    assert!(connect(&name).unwrap().process_id().is_ok());
    running.stop().unwrap();
}

#[test]
fn a_registry_full_of_anything_is_an_error() {
    let (real, _running) = serve("garbage");
    let name = unique_name("garbage");
    // Every word of the header in turn: an error, or a server that never answers; nothing worse.
    for offset in (12..88).step_by(4).filter(|offset| *offset != 40) {
        let file = forge_from(&real, &name, offset, &[0xFF; 4]);
        let connected =
            Client::<Probe>::builder(&name).connect_deadline(Duration::from_millis(20)).connect();
        assert!(connected.is_err(), "{offset}");
        drop(file);
    }
    fs::remove_file(registry(&name)).unwrap();
}

#[test]
fn options_out_of_range() {
    let name = unique_name("options");
    for size in [0, 1, 100, 4095, 65_537, usize::MAX] {
        let bind = Server::<Probe>::builder(&name).ring_size(size).bind().unwrap_err();
        let refused =
            matches!(bind, BindError::Config(ConfigError::RingSize { size: s, .. }) if s == size);
        assert!(refused, "{bind:?}");
        let connect = Client::<Probe>::builder(&name).ring_size(size).connect().unwrap_err();
        assert!(chain(&connect).contains("power of two"), "{connect:?}");
    }
    let bind = Server::<Probe>::builder(&name).max_message(usize::MAX).bind().unwrap_err();
    assert!(matches!(bind, BindError::Config(ConfigError::MaximumMessage { .. })), "{bind:?}");
    let bind = Server::<Probe>::builder(&name).deadline(Duration::ZERO).bind().unwrap_err();
    assert!(matches!(bind, BindError::Config(ConfigError::ZeroDeadline { .. })), "{bind:?}");
    for connect in [
        Client::<Probe>::builder(&name).deadline(Duration::ZERO).connect(),
        Client::<Probe>::builder(&name).connect_deadline(Duration::ZERO).connect(),
    ] {
        let refused =
            matches!(connect, Err(ConnectError::Config(ConfigError::ZeroDeadline { .. })));
        assert!(refused, "{connect:?}");
    }
    for links in [0, 5_000] {
        let bind = Server::<Probe>::builder(&name).max_links(links).bind().unwrap_err();
        assert!(matches!(bind, BindError::Config(ConfigError::OutOfRange { .. })), "{bind:?}");
    }
    let bind = Server::<Probe>::builder(&name).spin(Duration::from_secs(2)).bind().unwrap_err();
    assert!(matches!(bind, BindError::Config(ConfigError::SpinBudget { .. })), "{bind:?}");
}

#[test]
fn a_deadline_of_zero() {
    let (name, _running) = serve("zero");
    let client = connect(&name).unwrap().with_deadline(Duration::ZERO);
    assert!(matches!(client.number(0, 0), Err(SendError::ZeroDeadline)));
    let error = client.process_id().unwrap_err();
    assert!(matches!(error, CallError::NotSent(SendError::ZeroDeadline)), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStarted);
}

#[test]
fn a_client_that_asks_for_more_than_the_server_gives() {
    let name = unique_name("more");
    let server = Server::<Probe>::builder(&name)
        .max_message(1_000_000)
        .max_link_memory(4 << 20)
        .max_links(1)
        .bind();
    let _running = server.unwrap().serve(Prober::default()).unwrap();
    let larger = Client::<Probe>::builder(&name).max_message(1_000_001).connect().unwrap_err();
    assert!(chain(&larger).contains("1000000"), "{larger:?}");
    let larger = Client::<Probe>::builder(&name).ring_size(4 << 20).connect().unwrap_err();
    let refused = matches!(larger, ConnectError::Refused { refusal: Refusal::TooLarge, .. });
    assert!(refused, "{larger:?}");
    let first = connect(&name).unwrap();
    match connect(&name).unwrap_err() {
        ConnectError::Refused { refusal: Refusal::TooManyLinks, pid, .. } => {
            assert_eq!(pid, std::process::id());
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    // Its place is free as soon as the server saw it go.
    while let Err(error) = connect(&name) {
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn no_room_until_the_deadline_and_a_peer_that_dies_meanwhile() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("room");
    let mut server = PeerProcess::start(PEER, &["serve", &name, "ring=4096"]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let client = connect(&name).unwrap();
    client.process_id().unwrap();
    server.stop();
    let hasty = client.with_deadline(SHORT);
    let mut sent = 0_u64;
    let error = loop {
        match hasty.number(0, sent) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    match &error {
        SendError::Deadline { waited, pid } => {
            assert!(*waited >= SHORT);
            assert_eq!(*pid, server.pid());
        }
        other => panic!("{other:?}"),
    }
    // A large one that got in halfway is not seen at all.
    let large = hasty.send(&Probe::Bytes { bytes: pattern(100_000) });
    assert!(matches!(large, Err(SendError::Deadline { .. })), "{large:?}");
    let call = hasty.process_id().unwrap_err();
    assert!(matches!(call, CallError::Deadline { outcome: Outcome::NotStarted, .. }), "{call:?}");
    server.go_on();
    let patient = client.with_deadline(Duration::from_secs(30));
    assert_eq!(patient.numbers().unwrap(), (sent, 0));
    assert_eq!(patient.bytes_sum().unwrap().0, 0);
    dies_while_a_sender_waits_for_room(server, patient);
}

fn dies_while_a_sender_waits_for_room(mut server: PeerProcess, patient: Client<Probe>) {
    server.stop();
    let waiting = std::thread::spawn(move || {
        for number in 0.. {
            if let Err(error) = patient.number(1, number) {
                return error;
            }
        }
        SendError::Closed
    });
    std::thread::sleep(SHORT);
    server.kill();
    let error = waiting.join().unwrap();
    let gone = matches!(error, SendError::PeerGone { departure: Departure::Died, .. });
    assert!(gone, "{error:?}");
}

/// `/dev/shm` of one mebibyte, in a mount namespace of the peer's own.
#[test]
fn a_full_file_system_is_an_error_that_says_how_much_was_needed() {
    let _watchdog = Watchdog::start(60);
    let name = unique_name("full");
    let script = format!("'{PEER}' serve '{name}' < /dev/null && '{PEER}' full '{name}'");
    let Some(text) = in_a_small_shared_memory(&script) else { return };
    assert!(text.contains("shared memory is full: the link needs 1052672 bytes"), "{text}");
    assert!(text.contains("left: 1"), "only the registry itself is left: {text}");
}

/// Files whose owner holds a lease on them keep whoever opens them for 45 seconds, unless it says
/// that it will not wait: one in the place of a registry, and one that `bind` meets as it cleans
/// up.
#[test]
fn a_file_under_a_lease_keeps_nobody() {
    let _watchdog = Watchdog::start(30);
    let name = unique_name("lease");
    // The kernel asks the holder in this way to let go.
    // SAFETY: no handler, only to ignore it.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    let lease = |path: &PathBuf| {
        let file = File::create(path).unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: a system call on an open descriptor.
        let leased = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
        assert_eq!(leased, 0, "{}", std::io::Error::last_os_error());
        file
    };
    let [registry, link] = [registry(&name), PathBuf::from(format!("/dev/shm/shmipc.l.{name}"))];
    let holders = [lease(&registry), lease(&link)];
    let error = Client::<Probe>::connect(&name).unwrap_err();
    assert!(matches!(error, ConnectError::System { .. }), "{error:?}");
    let error = Server::<Probe>::bind(&name).unwrap_err();
    assert!(matches!(error, BindError::System { .. }), "{error:?}");
    println!("{error}");
    fs::remove_file(&registry).unwrap();
    drop(Server::<Probe>::bind(&name).unwrap());
    fs::remove_file(&link).unwrap();
    drop(holders);
}
