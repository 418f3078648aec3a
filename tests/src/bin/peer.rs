//! A peer for the tests to kill, stop and watch:
//! `peer serve NAME [KEY=VALUE…]`, `peer numbers NAME THREADS COUNT EVENTS`, `peer calls NAME`,
//! `peer idle NAME`, `peer churn NAME`, `peer full NAME`,
//! `peer echoes NAME COUNT`, `peer asks NAME MILLIS`, `peer leaves NAME HOW NUMBERS BYTES`.

use std::error::Error;
use std::io::{BufRead, stdin};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use shmipc::{Client, Doorbell, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", name, options @ ..] => serve(name, options),
        ["numbers", name, threads, count, events] => {
            numbers(name, threads.parse()?, count.parse()?, events.parse()?)
        }
        ["calls", name] => calls(name),
        ["idle", name] => idle(name),
        ["churn", name] => churn(name),
        ["full", name] => full(name),
        ["echoes", name, count] => echoes(name, count.parse()?),
        ["asks", name, millis] => asks(name, millis.parse()?),
        ["leaves", name, how, count, size] => leaves(name, how, count.parse()?, size.parse()?),
        other => Err(format!("what is {other:?}?").into()),
    }
}

/// Serves until told to stop, or until its input ends.
fn serve(name: &str, options: &[&str]) -> Outcome {
    let mut builder = Server::<Probe>::builder(name);
    let mut handler = Prober::default();
    for option in options {
        builder = match option.split_once('=') {
            Some(("doorbell", "event")) => builder.doorbell(Doorbell::Event),
            Some(("doorbell", _)) => builder,
            Some(("ring", bytes)) => builder.ring_size(bytes.parse()?),
            Some(("spin", micros)) => builder.spin(Duration::from_micros(micros.parse()?)),
            Some(("memory", mebibytes)) => {
                // Touched, and there until the end.
                std::mem::forget(vec![1_u8; mebibytes.parse::<usize>()? << 20]);
                builder
            }
            Some(("core", directory)) => {
                std::env::set_current_dir(directory)?;
                setrlimit(Resource::RLIMIT_CORE, u64::MAX, u64::MAX)?;
                builder
            }
            Some(("count", path)) => {
                handler = Prober::counting(PathBuf::from(path));
                builder
            }
            _ => return Err(format!("what is {option:?}?").into()),
        };
    }
    let running = builder.bind()?.serve(handler)?;
    println!("ready");
    let handle = running.handle();
    thread::spawn(move || {
        let _ = stdin().lock().lines().last();
        handle.stop();
    });
    running.join()?;
    Ok(())
}

/// Sends numbers from several threads while as many numbered events come in.
fn numbers(name: &str, threads: u32, count: u64, events: u64) -> Outcome {
    let (done, all_events) = mpsc::channel();
    let mut next = 0;
    let client = Client::<Probe>::builder(name)
        .deadline(Duration::from_secs(60))
        .on_event(move |event: ProbeEvent| {
            if let ProbeEvent::Number { number } = event {
                if number != next {
                    println!("event {number} instead of {next}");
                    std::process::exit(1);
                }
                next += 1;
                if next == events {
                    let _ = done.send(());
                }
            }
        })
        .on_missed(|count| {
            println!("{count} events missed");
        })
        .connect()?;
    if events > 0 {
        client.send_events(events)?;
    }
    let senders: Vec<_> = (0..threads)
        .map(|thread| {
            let client = client.clone();
            thread::spawn(move || {
                for number in 0..count {
                    client.number(thread, number)?;
                }
                Ok::<(), shmipc::SendError>(())
            })
        })
        .collect();
    for sender in senders {
        sender.join().map_err(|_| "a sender panicked")??;
    }
    let (came, disorder) = client.numbers()?;
    if events > 0 {
        all_events.recv_timeout(Duration::from_secs(120))?;
    }
    println!("{came} {disorder}");
    Ok(())
}

/// Calls without end; says so after the first.
fn calls(name: &str) -> Outcome {
    let client = Client::<Probe>::connect(name)?;
    let mut said = false;
    for round in 0.. {
        let bytes = pattern(round % 100_000);
        if client.echo(bytes.clone())? != bytes {
            return Err("another echo".into());
        }
        if !said {
            println!("calling");
            said = true;
        }
    }
    Ok(())
}

/// Connects, and then only listens for events.
fn idle(name: &str) -> Outcome {
    let client = Client::<Probe>::builder(name).on_event(|_event: ProbeEvent| {}).connect()?;
    client.process_id()?;
    println!("idle");
    let _ = stdin().lock().lines().last();
    Ok(())
}

/// Connects, talks a little, closes, and again: for being killed anywhere in it.
fn churn(name: &str) -> Outcome {
    println!("churning");
    loop {
        let client = Client::<Probe>::builder(name).on_event(|_event: ProbeEvent| {}).connect();
        let Ok(client) = client else { continue };
        for size in [0, 10, 100_000, 1_000_000] {
            let _ = client.echo(pattern(size));
            let _ = client.bytes(pattern(size));
        }
    }
}

/// Serves and connects where shared memory is too small for a link, and prints what comes of it.
fn full(name: &str) -> Outcome {
    let builder = Server::<Probe>::builder(name).ring_size(256 << 10);
    let _running = builder.bind()?.serve(Prober::default())?;
    match Client::<Probe>::connect(name) {
        Ok(_) => return Err("there was room after all".into()),
        Err(error) => println!("{error}"),
    }
    println!("left: {}", shmipc_tests::segment_names().len());
    // With rings that fit, all is well.
    let client = Client::<Probe>::builder(name).ring_size(4096).connect()?;
    client.echo(pattern(100_000))?;
    Ok(())
}

/// So many small round trips.
fn echoes(name: &str, count: u64) -> Outcome {
    let client = Client::<Probe>::connect(name)?;
    for _ in 0..count {
        client.echo(vec![1, 2, 3])?;
    }
    Ok(())
}

/// One slow call, and what came of it.
fn asks(name: &str, millis: u64) -> Outcome {
    let client = Client::<Probe>::builder(name).deadline(Duration::from_secs(60)).connect()?;
    println!("asking");
    match client.slow(millis, 7) {
        Ok(ticket) => println!("{ticket}"),
        Err(error) => println!("{error:?}"),
    }
    Ok(())
}

/// Numbers and some bytes, which nobody waits for, and then the end in one of many ways.
fn leaves(name: &str, how: &str, count: u64, size: usize) -> Outcome {
    let client = Client::<Probe>::builder(name).deadline(Duration::from_secs(60)).connect()?;
    println!("here");
    // Until the server is busy.
    stdin().lock().lines().next();
    for number in 0..count {
        client.number(0, number)?;
    }
    if size > 0 {
        client.bytes(pattern(size))?;
    }
    match how {
        "close" => client.close(),
        "drop" => drop(client),
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "kill" => {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
        }
        other => return Err(format!("what is {other:?}?").into()),
    }
    println!("left");
    Ok(())
}
