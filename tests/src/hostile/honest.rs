//! The honest client beside the attackers: calls all the time, and every call must succeed.

use std::error::Error;
use std::io::stdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use shmipc::{Client, ConnectError};

use super::protocol::{Rich, RichClient, Value};
use crate::protocol::pattern;

/// What the honest client saw.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Calls that succeeded on the one link that stood all the time.
    pub calls: u64,
    /// The longest of them.
    pub slowest_ms: f64,
    /// Links made while others attacked.
    pub connects: u64,
    /// Links that were refused, with an error that says so.
    pub connects_refused: u64,
}

/// Calls until its input ends, then prints its account. Ends with an error as soon as a call fails.
///
/// # Errors
/// A call failed, or its answer was wrong.
pub fn run(name: &str) -> Result<(), Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    thread::spawn(move || {
        let _ = std::io::copy(&mut stdin(), &mut std::io::sink());
        told.store(true, Ordering::Relaxed);
    });
    let client = Client::<Rich>::connect(name)?;
    println!("calling");
    let comer = {
        let (name, stop) = (name.to_owned(), stop.clone());
        thread::spawn(move || come_and_go(&name, &stop))
    };
    let mut account = Account::default();
    let mut told = 0;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        round(&client, account.calls, &mut told)?;
        account.slowest_ms = account.slowest_ms.max(started.elapsed().as_secs_f64() * 1e3);
        account.calls += 1;
    }
    (account.connects, account.connects_refused) =
        comer.join().map_err(|_| "the comer panicked")??;
    println!("{}", serde_json::to_string(&account)?);
    Ok(())
}

fn round(client: &Client<Rich>, number: u64, told: &mut u64) -> Result<(), Box<dyn Error>> {
    if number.is_multiple_of(3) {
        client.told(*told)?;
        *told += 1;
    }
    let (came, orderly) = client.next(number)?;
    if came != *told || !orderly {
        return Err(format!("{came} came of {told}, in order: {orderly}").into());
    }
    if number % 64 == 1 {
        let bytes = pattern(number as usize % 300_000);
        if client.echo(bytes.clone())? != bytes {
            return Err("another echo".into());
        }
    }
    let value = Value::sample(number);
    if number % 16 == 2 && client.put(value.clone())? != value {
        return Err("another value".into());
    }
    Ok(())
}

/// Connects, calls, closes. Being refused is an answer; a link that was made must work.
fn come_and_go(name: &str, stop: &AtomicBool) -> Result<(u64, u64), String> {
    let (mut made, mut refused) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let builder = Client::<Rich>::builder(name).connect_deadline(Duration::from_secs(2));
        match builder.connect() {
            Ok(client) => {
                let (came, orderly) = client.next(0).map_err(|error| format!("new: {error}"))?;
                if came != 0 || !orderly {
                    return Err("a new link with an old one's row".into());
                }
                made += 1;
            }
            Err(error @ (ConnectError::Thread(_) | ConnectError::System { .. })) => {
                return Err(format!("could not connect: {error}"));
            }
            Err(_) => refused += 1,
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((made, refused))
}
