//! Processes that reach the limits of the system, and what they are told:
//! `narrow serve NAME FILES LINKS` serves so many links with so many descriptors, and says whom it
//! refused; `narrow bind NAME FILES` binds when no descriptor is left;
//! `narrow connect NAME FILES` connects until it cannot;
//! `narrow memory NAME` connects when no memory is left;
//! `narrow nowhere NAME` binds and connects;
//! `narrow widest NAME LINKS` serves so many links;
//! `narrow links NAME COUNT` is so many clients, and calls with each;
//! `narrow names PREFIX COUNT` binds so many names and connects to each;
//! `narrow stale COUNT OTHERS` binds and connects where so many dead processes left their files,
//! among so many of others.

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, Write, stdin};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use shmipc::{Client, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::hostile::layout;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent};
use shmipc_tests::segment_names;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", name, files, links] => {
            limit(Resource::RLIMIT_NOFILE, files.parse()?)?;
            serve(name, links.parse()?)
        }
        ["widest", name, links] => {
            raise_files()?;
            serve(name, links.parse()?)
        }
        ["bind", name, files] => bind(name, files.parse()?),
        ["connect", name, files] => connect(name, files.parse()?),
        ["memory", name] => memory(name),
        ["nowhere", name] => nowhere(name),
        ["links", name, count] => links(name, count.parse()?),
        ["names", prefix, count] => names(prefix, count.parse()?),
        ["stale", count, others] => stale(count.parse()?, others.parse()?),
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn limit(resource: Resource, to: u64) -> Outcome {
    let (_, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, to.min(hard), hard)?)
}

fn raise_files() -> Outcome {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    limit(Resource::RLIMIT_NOFILE, hard)
}

fn until_end_of_input() {
    let _ = stdin().lock().lines().last();
}

/// An error with everything behind it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn serve(name: &str, links: usize) -> Outcome {
    let server = Server::<Probe>::builder(name)
        .ring_size(4096)
        .max_links(links)
        .on_refused(|refused| {
            // Nobody may listen any more.
            let _ = writeln!(std::io::stdout(), "{refused}");
        })
        .bind()?;
    let running = server.serve(Prober::default())?;
    println!("ready");
    until_end_of_input();
    Ok(running.stop()?)
}

fn bind(name: &str, files: u64) -> Outcome {
    limit(Resource::RLIMIT_NOFILE, files)?;
    let mut open: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // With none left, with one, and so on: whatever is missing is told, and nothing stays.
    for left in 0.. {
        match Server::<Probe>::bind(name) {
            Ok(server) => {
                println!("bound with {left}");
                drop(server);
                break;
            }
            Err(error) => println!("{}", chain(&error)),
        }
        // Whoever reads this looks for what is left before the next try makes it anew.
        stdin().read_line(&mut String::new())?;
        drop(open.pop());
    }
    Ok(())
}

fn connect(name: &str, files: u64) -> Outcome {
    limit(Resource::RLIMIT_NOFILE, files)?;
    let mut clients = Vec::new();
    let error = loop {
        match Client::<Probe>::connect(name) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    println!("{}", chain(&error));
    for client in &clients {
        client.echo(vec![1])?;
    }
    println!("{} links", clients.len());
    Ok(())
}

fn memory(name: &str) -> Outcome {
    // Once, so that all threads are there.
    drop(Client::<Probe>::connect(name)?);
    let pages = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split(' ').next().ok_or("no size")?.parse()?;
    limit(Resource::RLIMIT_AS, pages * 4096 + (8 << 20))?;
    let connected = Client::<Probe>::builder(name).ring_size(4 << 20).connect();
    println!("{}", chain(&connected.err().ok_or("connected without memory")?));
    Ok(())
}

fn nowhere(name: &str) -> Outcome {
    println!("{}", chain(&Server::<Probe>::bind(name).map(drop).err().ok_or("bound")?));
    println!("{}", chain(&Client::<Probe>::connect(name).map(drop).err().ok_or("connected")?));
    Ok(())
}

fn links(name: &str, count: usize) -> Outcome {
    raise_files()?;
    let clients: Vec<Client<Probe>> = (0..count)
        .map(|_| {
            // Others connect at the same time, by the hundred.
            Client::builder(name).connect_deadline(Duration::from_secs(60)).connect()
        })
        .collect::<Result<_, _>>()?;
    for (number, client) in clients.iter().enumerate() {
        let bytes = number.to_le_bytes().to_vec();
        let client = client.with_deadline(Duration::from_secs(60));
        if client.echo(bytes.clone())? != bytes {
            return Err("another's echo".into());
        }
    }
    println!("ready");
    until_end_of_input();
    Ok(())
}

fn names(prefix: &str, count: usize) -> Outcome {
    /// Servers that stay for a while.
    const KEPT: usize = 4;
    let mut kept = VecDeque::new();
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let server = Server::<Probe>::builder(&name).ring_size(4096).bind()?;
        let running = server.serve(Prober::default())?;
        let client = Client::<Probe>::builder(&name).on_event(|_: ProbeEvent| {}).connect()?;
        if client.process_id()? != std::process::id() {
            return Err("another's server".into());
        }
        kept.push_back((running, client));
        if kept.len() > KEPT
            && let Some((running, client)) = kept.pop_front()
        {
            client.echo(vec![1])?;
            drop(client);
            running.stop()?;
        }
    }
    println!("{count} names");
    Ok(())
}

fn stale(count: u64, others: u64) -> Outcome {
    for number in 0..others {
        File::create(format!("/dev/shm/other-{number}"))?;
    }
    let mut head = layout::MAGIC.to_ne_bytes().to_vec();
    head.extend(layout::VERSION.to_ne_bytes());
    head.resize(4096, 0);
    for number in 0..count {
        let (path, is_old) = match number % 3 {
            0 => (format!("shmipc.r.stale-{number}"), true),
            1 => (format!("shmipc.l.{number:032x}"), true),
            _ => (format!("shmipc.l.{number:032x}"), false),
        };
        let mut file = File::create_new(format!("/dev/shm/{path}"))?;
        if is_old {
            // Its maker never finished it.
            file.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        } else {
            file.write_all(&head)?;
        }
    }
    let started = Instant::now();
    let running = Server::<Probe>::bind("stale")?.serve(Prober::default())?;
    println!("bound after {:?}", started.elapsed());
    let started = Instant::now();
    let deadline = Duration::from_secs(1);
    let client = Client::<Probe>::builder("stale").connect_deadline(deadline).connect()?;
    client.echo(vec![1])?;
    println!("connected after {:?}", started.elapsed());
    // The server's alone is left in the end; the watchdog of the test tells if not.
    while segment_names() != ["shmipc.r.stale"] {
        std::thread::sleep(Duration::from_millis(10));
        if started.elapsed() > Duration::from_secs(60) {
            return Err(format!("{} names are left", segment_names().len()).into());
        }
    }
    println!("all gone after {:?}", started.elapsed());
    let left = fs::read_dir("/dev/shm")?.count() as u64;
    if left != others + 1 {
        return Err(format!("{left} files instead of {others} and one").into());
    }
    Ok(running.stop()?)
}
