//! The coin box.

// ANCHOR: main
use shmipc::{Context, Server};
use shmipc_guide::coins::{CoinBox, CoinBoxHandler, Refused};

const COINS: [u32; 4] = [10, 20, 50, 100];

#[derive(Default)]
struct Slot {
    credit: u32,
}

impl CoinBoxHandler for Slot {
    fn insert(&mut self, _cx: &Context<CoinBox>, coin: u32) -> Result<u32, Refused> {
        if !COINS.contains(&coin) {
            return Err(Refused::NoSuchCoin { known: COINS.into() });
        }
        if self.credit + coin > 500 {
            return Err(Refused::BoxIsFull);
        }
        self.credit += coin;
        Ok(self.credit)
    }

    fn credit(&mut self, _cx: &Context<CoinBox>) -> u32 {
        self.credit
    }

    fn songs(&mut self, _cx: &Context<CoinBox>, price: u32) -> u32 {
        self.credit / price // a mistake: it panics for a price of zero
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("coins".into());
    let running = Server::<CoinBox>::bind(&name)?.serve(Slot::default())?;
    println!("the slot is open");
    running.join()?;
    Ok(())
}
// ANCHOR_END: main
