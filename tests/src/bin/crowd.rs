//! Clients that ask much of a server:
//! `crowd counts NAME` counts events, and says "DELIVERED MISSED" for each line of input;
//! `crowd greedy NAME SIZE` asks for replies of so many bytes and waits for none;
//! `crowd flood NAME SIZE` sends notices of so many bytes without end;
//! `crowd offers NAME BYTES` offers links of so many bytes that have no memory, in all slots,
//! without end; `crowd many NAME COUNT` is so many clients, which talk a little and then are quiet.

use std::error::Error;
use std::io::{BufRead, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shmipc::{CallError, Client};
use shmipc_tests::hostile::link::{self, PATIENCE, Plan};
use shmipc_tests::hostile::raw::wait_for;
use shmipc_tests::hostile::registry::Registry;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent, pattern};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["counts", name] => counts(name),
        ["greedy", name, size] => greedy(name, size.parse()?),
        ["flood", name, size] => flood(name, size.parse()?),
        ["offers", name, bytes] => offers(name, bytes.parse()?),
        ["many", name, count] => many(name, count.parse()?),
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn counts(name: &str) -> Outcome {
    let (delivered, missed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (on_event, on_missed) = (delivered.clone(), missed.clone());
    let client = Client::<Probe>::builder(name)
        .on_event(move |_: ProbeEvent| {
            on_event.fetch_add(1, Ordering::Relaxed);
        })
        .on_missed(move |count| {
            on_missed.fetch_add(count, Ordering::Relaxed);
        })
        .connect()?;
    client.process_id()?;
    println!("ready");
    for line in stdin().lock().lines() {
        line?;
        println!("{} {}", delivered.load(Ordering::Relaxed), missed.load(Ordering::Relaxed));
    }
    Ok(())
}

fn greedy(name: &str, size: u64) -> Outcome {
    let client = Client::<Probe>::builder(name).connect()?;
    client.process_id()?;
    println!("ready");
    let hasty = client.with_deadline(Duration::from_nanos(1));
    loop {
        match hasty.fill(size) {
            Ok(_) | Err(CallError::Deadline { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn flood(name: &str, size: usize) -> Outcome {
    let client = Client::<Probe>::builder(name).deadline(Duration::from_secs(60)).connect()?;
    let message = Probe::Bytes { bytes: pattern(size) };
    println!("ready");
    loop {
        client.send(&message)?;
    }
}

fn offers(name: &str, bytes: usize) -> Outcome {
    let server = Registry::open(name)?;
    let plan = Plan { sparse: true, ..Plan::rings(1 << 30).within(bytes) };
    let slots: Vec<usize> = std::iter::from_fn(|| server.claim()).collect();
    println!("ready");
    loop {
        let links: Vec<_> = slots
            .iter()
            .map(|slot| {
                let id = u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..));
                Ok((*slot, id, link::make(&server, id, plan)?))
            })
            .collect::<Result<_, std::io::Error>>()?;
        links.iter().for_each(|(slot, id, _)| server.offer(*slot, *id));
        for (slot, id, _) in &links {
            let answered = wait_for(PATIENCE, || server.answer(*slot, *id));
            // Where it was taken on, it has no name any more.
            let _ = std::fs::remove_file(link::path(*id));
            answered.ok_or("no answer")?;
        }
    }
}

fn many(name: &str, count: usize) -> Outcome {
    let clients: Vec<_> = (0..count)
        .map(|_| Client::<Probe>::builder(name).on_event(|_: ProbeEvent| {}).connect())
        .collect::<Result<_, _>>()?;
    for client in &clients {
        if client.echo(pattern(1_000))? != pattern(1_000) {
            return Err("another echo".into());
        }
    }
    println!("ready");
    let _ = stdin().lock().lines().last();
    Ok(())
}
