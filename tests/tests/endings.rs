//! Peers that are dead and not gone: the kernel frees their memory or writes their core, and holds
//! their locks meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shmipc::{BindError, CallError, Client, ConnectError, Departure, Outcome, Server};
use shmipc_tests::process::{PeerProcess, skipped};
use shmipc_tests::protocol::{Probe, ProbeClient};
use shmipc_tests::{Watchdog, unique_name};

const PEER: &str = env!("CARGO_BIN_EXE_peer");
const PATIENT: Duration = Duration::from_secs(60);

/// Ends a server in whose handler a call is by a signal. Gives whether the process was still there
/// when the call had ended.
fn end_by(signal: Signal, name: &str, server: &mut PeerProcess) -> bool {
    let client = Client::<Probe>::builder(name).deadline(PATIENT).connect().unwrap();
    let caller = thread::spawn(move || client.slow(60_000, 0));
    thread::sleep(Duration::from_millis(200));
    let killed = Instant::now();
    kill(Pid::from_raw(server.pid() as i32), signal).unwrap();
    match caller.join().unwrap().unwrap_err() {
        CallError::PeerGone {
            departure: Departure::Died, outcome: Outcome::MayHaveRun, ..
        } => {}
        other => panic!("{other:?}"),
    }
    let (noticed, was_there) = (killed.elapsed(), server.ended().is_none());
    println!("{signal}: noticed after {noticed:?}; still there: {was_there}");
    was_there
}

/// Who waits does not wait for the kernel, and nobody calls the dead alive.
#[test]
fn a_server_with_much_memory_is_noticed_and_followed() {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("much-memory");
    let mut server = PeerProcess::start(PEER, &["serve", &name, "memory=1024"]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    end_by(Signal::SIGKILL, &name, &mut server);
    drop(Server::<Probe>::bind(&name).unwrap());
}

/// It took as long as the core took to write, and `bind` and `connect` called the server alive.
#[test]
fn a_server_whose_core_is_written_is_dead() {
    let _watchdog = Watchdog::start(180);
    let name = unique_name("core");
    let directory = std::env::temp_dir().join(&name);
    fs::create_dir(&directory).unwrap();
    let core = format!("core={}", directory.display());
    let mut server = PeerProcess::start(PEER, &["serve", &name, "memory=768", &core]).unwrap();
    assert_eq!(server.line().unwrap(), "ready");
    let was_there = end_by(Signal::SIGABRT, &name, &mut server);
    let connected = Client::<Probe>::builder(&name).connect_deadline(Duration::from_millis(50));
    match connected.connect().map(drop).unwrap_err() {
        ConnectError::NoServer { stale: true, .. } => {}
        other => panic!("{other:?}"),
    }
    while let Err(error) = Server::<Probe>::bind(&name).map(drop) {
        assert!(matches!(error, BindError::StillEnding { .. }), "{error:?}");
    }
    server.kill();
    let written =
        fs::read_dir(&directory).unwrap().filter_map(|entry| entry.unwrap().metadata().ok());
    let written: u64 = written.map(|file| file.len()).sum();
    fs::remove_dir_all(&directory).unwrap();
    if written < 768 << 20 {
        return skipped("this machine writes no cores");
    }
    assert!(was_there, "the death was noticed when the core had been written");
}
