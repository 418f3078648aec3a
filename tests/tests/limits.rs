//! Who is calling, and how many may: what holds without other users.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::unistd::{getegid, geteuid};
use shmipc::{Admission, BindError, Client, ConfigError, ConnectError, Doorbell, Refusal, Server};
use shmipc_tests::guest::{Caller, Doorkeeper, Guest, Identity, IdentityClient, until};
use shmipc_tests::{Watchdog, open_links, unique_name};

/// One test looks at all links that this process has open.
static ALONE: Mutex<()> = Mutex::new(());

const GUEST: &str = env!("CARGO_BIN_EXE_guest");

#[test]
fn a_handler_knows_who_is_calling() {
    let _watchdog = Watchdog::start(60);
    let _alone = ALONE.lock();
    let name = unique_name("who");
    let _running = Server::<Identity>::bind(&name).unwrap().serve(Doorkeeper::default()).unwrap();
    let who = Client::<Identity>::connect(&name).unwrap().who().unwrap();
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    // Within one process the kernel has nothing to tell.
    assert_eq!(who, Caller { pid: std::process::id(), pid_is_certain: false, uid, gid });
    let other = Guest::start(GUEST, &format!("ask {name}")).unwrap().line().unwrap();
    assert_eq!(other, format!("{uid} {gid} true true"));
}

#[test]
fn the_portable_doorbell_admits_no_other_users() {
    for admission in [Admission::Users(vec![4001]), Admission::Group(5000)] {
        let server = Server::<Identity>::builder(&unique_name("event"))
            .doorbell(Doorbell::Event)
            .admit(admission)
            .bind();
        let refused = matches!(server, Err(BindError::Config(ConfigError::DoorbellOfTrust)));
        assert!(refused, "{server:?}");
    }
    let nobody = Server::<Identity>::builder("nobody").admit(Admission::Users(vec![])).bind();
    assert!(matches!(nobody, Err(BindError::Config(ConfigError::OutOfRange { .. }))));
}

/// As many links as allowed, each within its memory, and not one more.
#[test]
fn links_and_their_memory_are_limited() {
    const LINKS: usize = 3;
    const MEMORY: usize = 4096 + 4 * 8192;
    let _watchdog = Watchdog::start(60);
    let _alone = ALONE.lock();
    let name = unique_name("limits");
    let server = Server::<Identity>::builder(&name)
        .max_links(LINKS)
        .ring_size(4096)
        .max_link_memory(MEMORY)
        .bind();
    let _running = server.unwrap().serve(Doorkeeper::default()).unwrap();
    let connect = |ring| Client::<Identity>::builder(&name).ring_size(ring).connect();
    let refusal = |ring| match connect(ring) {
        Err(ConnectError::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    };
    let mut clients: Vec<_> = (0..LINKS - 1).map(|_| connect(4096).unwrap()).collect();
    // The next size of ring is too large by far, the limit itself is not.
    assert_eq!(refusal(16_384), Refusal::TooLarge);
    clients.push(connect(8192).unwrap());
    let sizes: Vec<_> = open_links().iter().map(|file| file.metadata().unwrap().size()).collect();
    assert!(sizes.iter().all(|size| *size <= MEMORY as u64), "{sizes:?}");
    assert!(sizes.contains(&(MEMORY as u64)), "{sizes:?}");
    for _ in 0..10 {
        assert_eq!(refusal(4096), Refusal::TooManyLinks);
    }
    for client in &clients {
        assert_eq!(client.seen().unwrap().1, LINKS as u64);
    }
    drop(clients.pop());
    until(|| clients[0].seen().unwrap().1 < LINKS as u64);
    clients.push(connect(8192).unwrap());
}

/// The kernel forgets who signed a file when that process closes any descriptor of it: whoever
/// connected while another thread of its process cleaned up was not known any more.
#[test]
fn a_clients_pid_is_certain_though_its_process_cleans_up_meanwhile() {
    let _watchdog = Watchdog::start(120);
    let _alone = ALONE.lock();
    let name = unique_name("signed");
    let mut server = Guest::start(GUEST, &format!("serve {name}")).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Each cleans up.
                drop(Server::<Identity>::bind(&unique_name("cleaner")).unwrap());
            }
        });
        let certain = (0..300).filter(|_| {
            let client = Client::<Identity>::builder(&name).ring_size(4096).connect().unwrap();
            client.who().unwrap().pid_is_certain
        });
        let certain = certain.count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(certain, 300);
    });
    assert!(server.end().unwrap());
}
