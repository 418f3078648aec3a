//! Peers that count what they allocate: `counted serve owned|lent NAME [KEY=VALUE…]`,
//! `counted send CASE NAME COUNT [KEY=VALUE…]`. A sender prints what both sides allocated for
//! `COUNT` messages, after as many to warm up.

use std::error::Error;
use std::fs;
use std::io::{BufRead, stdin};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use shmipc::{Client, ClientBuilder, Doorbell, Server, ServerBuilder, ShmMessage};
use shmipc_tests::counted::{
    Lent, LentClient, Listening, Owned, OwnedClient, Quiet, wait_for_events,
};
use shmipc_tests::counting::{Counting, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What a small message carries.
const TEXT: &str = "sixteen letters!";
/// Callers at a time, in one process.
const CALLERS: u64 = 4;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", "owned", name, options @ ..] => {
            serve(served(Server::<Owned>::builder(name), options)?.bind()?.serve(Quiet::default())?)
        }
        ["serve", "lent", name, options @ ..] => {
            let builder = served(Server::<Lent<'static>>::builder(name), options)?;
            serve(builder.bind()?.serve(Quiet::default())?)
        }
        ["send", case, name, count, options @ ..] => {
            let patience = Duration::from_secs(60);
            let spin = spin(options)?;
            let count = count.parse()?;
            if case.starts_with("lent-") {
                let client = tuned(Client::builder(name).deadline(patience), spin).connect()?;
                send_lent(case, &client, count)
            } else {
                let builder = Client::builder(name).deadline(patience).serve_events(Listening);
                send_owned(case, &tuned(builder, spin).connect()?, count)
            }
        }
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn doorbell(options: &[&str]) -> Doorbell {
    let event = options.contains(&"doorbell=event");
    if event { Doorbell::Event } else { Doorbell::Futex }
}

/// `spin=MICROSECONDS`, of both sides.
fn spin(options: &[&str]) -> Outcome<Option<Duration>> {
    let micros = options.iter().find_map(|option| option.strip_prefix("spin="));
    Ok(micros.map(str::parse).transpose()?.map(Duration::from_micros))
}

fn tuned<P: ShmMessage>(builder: ClientBuilder<P>, spin: Option<Duration>) -> ClientBuilder<P> {
    match spin {
        Some(budget) => builder.spin(budget),
        None => builder,
    }
}

fn served<P: ShmMessage>(
    mut builder: ServerBuilder<P>,
    options: &[&str],
) -> Outcome<ServerBuilder<P>> {
    if let Some(budget) = spin(options)? {
        builder = builder.spin(budget);
    }
    builder = builder.doorbell(doorbell(options));
    for option in options {
        builder = match option.split_once('=') {
            Some(("ring", bytes)) => builder.ring_size(bytes.parse()?),
            _ => builder,
        };
    }
    Ok(builder)
}

/// Serves until its input ends.
fn serve<P: ShmMessage>(running: shmipc::Running<P>) -> Outcome {
    println!("ready");
    let _ = stdin().lock().lines().last();
    running.stop()?;
    Ok(())
}

/// Runs `round` twice `count` times and prints what the second half cost.
fn measure(
    count: u64,
    server: impl Fn() -> Outcome<u64>,
    mut round: impl FnMut() -> Outcome,
) -> Outcome {
    for _ in 0..count {
        round()?;
    }
    // Everything before was handled when this is answered; asked twice, to warm that up too.
    server()?;
    let server_before = server()?;
    let own_before = allocations();
    for _ in 0..count {
        round()?;
    }
    let server_spent = server()? - server_before;
    let own_spent = allocations() - own_before;
    println!("client {own_spent} server {server_spent}");
    Ok(())
}

/// Waits until the threads that come with a link sleep, in this process and the server `pid`: they
/// start by themselves and allocate as they do.
fn settle(server: u32, listens: bool) -> Outcome {
    let own = std::process::id();
    let mut threads = vec![(own, "shmipc-watch"), (server, "shmipc-watch")];
    if listens {
        threads.push((own, "shmipc-events"));
    }
    for (pid, name) in threads {
        while !sleeps(pid, name)? {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn sleeps(pid: u32, name: &str) -> Outcome<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        if status.starts_with(&format!("Name:\t{name}\n")) && status.contains("State:\tS") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn send_owned(case: &str, client: &Client<Owned>, count: u64) -> Outcome {
    settle(client.server_pid(), true)?;
    let size = if case.ends_with("large") { 300_000 } else { TEXT.len() };
    // Made before anything is counted: what a caller puts into a message is the caller's.
    let texts: Vec<String> = (0..2 * count).map(|_| TEXT.repeat(size / TEXT.len())).collect();
    let mut texts = texts.into_iter();
    let mut text = move || texts.next().ok_or("no text is left");
    let server = || Ok(client.allocations()?);
    match case {
        "owned-notice" | "owned-notice-large" => {
            measure(count, server, || Ok(client.note(text()?)?))
        }
        "owned-call" => measure(count, server, || {
            client.length(text()?)?;
            Ok(())
        }),
        "owned-echo" | "owned-echo-large" => measure(count, server, || {
            client.echo(text()?)?;
            Ok(())
        }),
        // One round of many: the events come while others are sent.
        "event" => measure(1, server, || {
            client.send_events(count)?;
            wait_for_events(count);
            Ok(())
        }),
        "broadcast" => measure(1, server, || {
            client.broadcast(count)?;
            wait_for_events(count);
            Ok(())
        }),
        "ask-back" => measure(1, server, || {
            client.ask_back(count)?;
            Ok(())
        }),
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn send_lent(case: &str, client: &Client<Lent<'static>>, count: u64) -> Outcome {
    settle(client.server_pid(), false)?;
    let server = || Ok(client.allocations()?);
    let pixels = |size: usize| vec![7; size];
    let call = |pixels: &[u8]| -> Outcome {
        client.measure(pixels)?;
        Ok(())
    };
    match case {
        "lent-notice" => measure(count, server, || Ok(client.note(TEXT)?)),
        "lent-call" => measure(count, server, || {
            client.length(TEXT)?;
            Ok(())
        }),
        // The server sleeps before each.
        "lent-notice-asleep" => measure(count, server, || {
            thread::sleep(Duration::from_millis(2));
            Ok(client.note(TEXT)?)
        }),
        "lent-call-asleep" => measure(count, server, || {
            thread::sleep(Duration::from_millis(2));
            client.length(TEXT)?;
            Ok(())
        }),
        // More than the ring holds, while the server does something else.
        "lent-notice-full" => measure(1, server, || {
            client.nap(20)?;
            (0..count).try_for_each(|_| Ok(client.note(TEXT)?))
        }),
        "lent-picture-300k" => {
            let pixels = pixels(300_000);
            measure(count, server, || Ok(client.picture(&pixels)?))
        }
        "lent-measure-300k" => {
            let pixels = pixels(300_000);
            measure(count, server, || call(&pixels))
        }
        "lent-measure-1m" => {
            let pixels = pixels(1 << 20);
            measure(count, server, || call(&pixels))
        }
        "lent-measure-6m" => {
            let pixels = pixels(6 << 20);
            measure(count, server, || call(&pixels))
        }
        "lent-call-threads" => threads(client, count),
        other => Err(format!("what is {other:?}?").into()),
    }
}

/// Calls from several threads at once: whoever leads takes the others' replies too.
fn threads(client: &Client<Lent<'static>>, count: u64) -> Outcome {
    let turn = Barrier::new(CALLERS as usize + 1);
    let calls = || {
        for _ in 0..2 {
            turn.wait();
            for _ in 0..count / CALLERS {
                if let Err(error) = client.length(TEXT) {
                    eprintln!("{error}");
                    std::process::exit(1);
                }
            }
            turn.wait();
        }
    };
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(calls);
        }
        measure(
            1,
            || Ok(client.allocations()?),
            || {
                turn.wait();
                turn.wait();
                Ok(())
            },
        )
    })
}
