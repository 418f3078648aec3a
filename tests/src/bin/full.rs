//! `full`: what bind, connect and linked peers do where shared memory has 1 MiB. To be run with
//! such a `/dev/shm` of its own; touching memory that is not there would be a bus error, which ends
//! the process. Says what it saw.

#![allow(clippy::panic, reason = "a check fails by panicking")]

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::statvfs::statvfs;
use shmipc::{BindError, Client, ConnectError, Running, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};
use shmipc_tests::segment_names;

type Outcome = Result<(), Box<dyn Error>>;

const PAGE: u64 = 4096;
/// A link with the smallest rings.
const SMALLEST_LINK: u64 = PAGE + 4 * 4096;
/// A registry of the tests' protocol.
const REGISTRY: u64 = 3 * PAGE;

fn main() -> Outcome {
    let size = free()?;
    if size > 1 << 20 {
        return Err("for a small /dev/shm of its own alone".into());
    }
    bind_says_what_is_missing()?;
    connect_says_what_is_missing()?;
    the_last_page_counts()?;
    who_is_linked_does_not_notice()?;
    it_fills_up_while_clients_come_and_go()?;
    a_dead_servers_unreserved_registry_is_no_bus_error()?;
    a_living_servers_unreserved_registry_is_no_bus_error()?;
    an_unreserved_link_is_no_bus_error()?;
    println!("all is well");
    Ok(())
}

fn free() -> Result<u64, Box<dyn Error>> {
    let stat = statvfs("/dev/shm")?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// Other files, which leave so many bytes.
struct Others(PathBuf);

impl Others {
    fn leaving(bytes: u64) -> Result<Self, Box<dyn Error>> {
        let path = PathBuf::from("/dev/shm/others");
        let taken = free()?.checked_sub(bytes).ok_or("less is free already")?;
        let mut file = File::create(&path)?;
        let page = [1; PAGE as usize];
        for _ in 0..taken / PAGE {
            file.write_all(&page)?;
        }
        let left = free()?;
        if left != bytes {
            return Err(format!("{left} bytes are left instead of {bytes}").into());
        }
        Ok(Self(path))
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn serve(name: &str) -> Result<Running<Probe>, Box<dyn Error>> {
    Ok(Server::<Probe>::builder(name).ring_size(4096).bind()?.serve(Prober::default())?)
}

fn connect(name: &str) -> Result<Client<Probe>, ConnectError> {
    Client::<Probe>::builder(name)
        .connect_deadline(Duration::from_secs(2))
        .on_event(|_: ProbeEvent| {})
        .connect()
}

fn bind_says_what_is_missing() -> Outcome {
    for left in [0, PAGE, REGISTRY - PAGE] {
        let _others = Others::leaving(left)?;
        match Server::<Probe>::bind("full") {
            Err(error @ BindError::NoRoom { needed: REGISTRY, available }) if available == left => {
                println!("{error}");
            }
            other => return Err(format!("with {left} bytes: {other:?}").into()),
        }
        assert_eq!(segment_names(), Vec::<String>::new());
    }
    Ok(())
}

fn connect_says_what_is_missing() -> Outcome {
    let running = serve("full")?;
    for left in [0, PAGE, SMALLEST_LINK - PAGE] {
        let _others = Others::leaving(left)?;
        match connect("full") {
            Err(error @ ConnectError::NoRoom { needed: SMALLEST_LINK, available })
                if available == left =>
            {
                println!("{error}");
            }
            other => return Err(format!("with {left} bytes: {other:?}").into()),
        }
        assert_eq!(segment_names().len(), 1, "the registry alone");
    }
    Ok(running.stop()?)
}

fn the_last_page_counts() -> Outcome {
    let others = Others::leaving(REGISTRY + SMALLEST_LINK)?;
    let running = serve("full")?;
    let client = connect("full")?;
    assert_eq!(free()?, 0);
    assert_eq!(client.echo(pattern(100_000))?, pattern(100_000));
    drop(client);
    drop(others);
    Ok(running.stop()?)
}

fn who_is_linked_does_not_notice() -> Outcome {
    let running = serve("full")?;
    let clients = [connect("full")?, connect("full")?, connect("full")?];
    let _others = Others::leaving(0)?;
    for round in 0..50 {
        for client in &clients {
            assert_eq!(client.echo(pattern(round * 1000))?, pattern(round * 1000));
            client.broadcast(round as u64)?;
        }
    }
    assert!(matches!(connect("full"), Err(ConnectError::NoRoom { .. })));
    Ok(running.stop()?)
}

/// Other files grow and shrink at any moment between bind, connect and use.
fn it_fills_up_while_clients_come_and_go() -> Outcome {
    let until = Instant::now() + Duration::from_secs(2);
    let filler = thread::spawn(move || -> u64 {
        let mut fills = 0;
        while Instant::now() < until {
            let path = format!("/dev/shm/filler-{}", fills % 7);
            // It is to fail, at any page; about five of them fit.
            let _ = fs::write(&path, vec![1; 200_000]);
            let _ = fs::remove_file(format!("/dev/shm/filler-{}", (fills + 2) % 7));
            fills += 1;
        }
        (0..7).for_each(|number| drop(fs::remove_file(format!("/dev/shm/filler-{number}"))));
        fills
    });
    let (mut bound, mut linked, mut refused) = (0, 0, 0);
    while Instant::now() < until {
        let running = match Server::<Probe>::builder("full").ring_size(4096).bind() {
            Ok(server) => server.serve(Prober::default())?,
            Err(BindError::NoRoom { .. }) => {
                refused += 1;
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        bound += 1;
        for size in [0, 5_000, 50_000] {
            match connect("full") {
                Ok(client) => {
                    assert_eq!(client.echo(pattern(size))?, pattern(size));
                    linked += 1;
                }
                Err(ConnectError::NoRoom { .. }) => refused += 1,
                Err(other) => return Err(other.into()),
            }
        }
        running.stop()?;
    }
    let fills = filler.join().map_err(|_| "the filler panicked")?;
    println!("{bound} servers, {linked} links, {refused} times no room, {fills} other files");
    assert!(linked > 0 && refused > 0, "both are to happen");
    assert_eq!(segment_names(), Vec::<String>::new());
    Ok(())
}

/// A file as long as a segment, of which nothing is reserved.
fn unreserved(name: &str, length: u64) -> Result<File, Box<dyn Error>> {
    let path = format!("/dev/shm/{name}");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    file.set_len(length)?;
    Ok(file)
}

/// Left by a server that was killed between making its registry and reserving it.
fn a_dead_servers_unreserved_registry_is_no_bus_error() -> Outcome {
    drop(unreserved("shmipc.r.full", REGISTRY)?);
    let others = Others::leaving(0)?;
    let connected =
        Client::<Probe>::builder("full").connect_deadline(Duration::from_millis(50)).connect();
    let error = connected.map(drop).err().ok_or("connected to nobody")?;
    println!("{error}");
    match Server::<Probe>::bind("full") {
        Err(BindError::NoRoom { .. }) => {}
        other => return Err(format!("{other:?}").into()),
    }
    drop(others);
    Ok(serve("full")?.stop()?)
}

/// A server that was stopped there, or is just there.
fn a_living_servers_unreserved_registry_is_no_bus_error() -> Outcome {
    let file = unreserved("shmipc.r.full", REGISTRY)?;
    // SAFETY: plain numbers.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    (range.l_type, range.l_len) = (libc::F_WRLCK as i16, 1);
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_OFD_SETLK(&range))?;
    let _others = Others::leaving(0)?;
    let connected =
        Client::<Probe>::builder("full").connect_deadline(Duration::from_millis(50)).connect();
    let error = connected.map(drop).err().ok_or("connected to nobody")?;
    println!("{error}");
    assert!(matches!(Server::<Probe>::bind("full"), Err(BindError::AlreadyServed { .. })));
    fs::remove_file("/dev/shm/shmipc.r.full")?;
    Ok(())
}

/// No correct client offers a link that it did not reserve; a hostile one may. Written into a slot
/// as a client does it: see the layout in `segment/registry.rs`.
fn an_unreserved_link_is_no_bus_error() -> Outcome {
    const SLOT: u64 = 1152 + 5 * 128;
    let running = serve("full")?;
    let good = connect("full")?;
    let link = unreserved(&format!("shmipc.l.{:032x}", 7), SMALLEST_LINK)?;
    let _others = Others::leaving(0)?;
    let registry = OpenOptions::new().read(true).write(true).open("/dev/shm/shmipc.r.full")?;
    registry.write_all_at(&0_u64.to_le_bytes(), SLOT + 8)?;
    registry.write_all_at(&7_u64.to_le_bytes(), SLOT + 16)?;
    registry.write_all_at(&2_u32.to_le_bytes(), SLOT)?;
    registry.write_all_at(&(1_u64 << 63).to_le_bytes(), 512)?;
    // The listener looks when somebody rings, and answers in the slot.
    let started = Instant::now();
    let mut answer = [0; 4];
    while answer == [0; 4] {
        assert_eq!(good.echo(vec![1])?, [1]);
        registry.read_exact_at(&mut answer, SLOT + 24)?;
        assert!(started.elapsed() < Duration::from_secs(10), "the offer was not answered");
    }
    assert_ne!(answer, 1_u32.to_le_bytes(), "a link without memory was taken");
    drop(link);
    let _ = fs::remove_file(format!("/dev/shm/shmipc.l.{:032x}", 7));
    Ok(running.stop()?)
}
