//! Puts in the coins that are typed, and says exactly what became of each.

// ANCHOR: main
use std::time::Duration;

use shmipc::{CallError, Client, Outcome};
use shmipc_guide::coins::{CoinBox, CoinBoxClient, Refused};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("coins".into());
    let slot = Client::<CoinBox>::builder(&name).deadline(Duration::from_secs(1)).connect()?;
    println!("connected");
    for line in std::io::stdin().lines() {
        let line = line?;
        if let Some(price) = line.strip_prefix("price ") {
            report(slot.songs(price.parse()?).map(|songs| format!("{songs} songs")));
        } else {
            report(slot.insert(line.parse()?).map(|answer| match answer {
                Ok(credit) => format!("credit {credit}"),
                Err(Refused::NoSuchCoin { known }) => format!("only these coins: {known:?}"),
                Err(Refused::BoxIsFull) => "the box is full".into(),
            }));
        }
    }
    Ok(())
}

/// Says how a call ended.
fn report(ended: Result<String, CallError>) {
    let error = match ended {
        Ok(answer) => return println!("{answer}"),
        Err(error) => error,
    };
    println!("{error}");
    match error.outcome() {
        Outcome::NotStarted => println!("=> it did not run: the coin can go in again"),
        Outcome::MayHaveRun => println!("=> ask for the credit first"),
        Outcome::Ran => println!("=> it ran: not again"),
    }
}
// ANCHOR_END: main
