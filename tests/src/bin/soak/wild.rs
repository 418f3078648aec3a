//! Clients that are killed, slow, or hostile.

use std::error::Error;
use std::os::unix::fs::FileExt;
use std::process::exit;
use std::thread;
use std::time::Duration;

use shmipc::Client;
use shmipc_tests::open_links;
use shmipc_tests::protocol::pattern;

use crate::protocol::{Random, Row, Soak, SoakClient, SoakEvent};

type Outcome = Result<(), Box<dyn Error>>;

/// Connects, talks, closes, and again: for being killed anywhere in it.
pub(crate) fn churn(name: &str, seed: u64) -> Outcome {
    println!("ready");
    end_with_input();
    let mut random = Random::new(seed);
    loop {
        let client = Client::<Soak>::builder(name).on_event(|_: SoakEvent| {}).connect();
        let Ok(client) = client else { continue };
        for number in 0..random.below(20) {
            let _ = client.note(number, pattern(random.size()));
            let _ = client.echo(pattern(random.size()));
        }
    }
}

/// Takes long over some events; leaves with an error if what came and what was missed make no row.
pub(crate) fn slow(name: &str, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let row = std::sync::Arc::new(std::sync::Mutex::new(Row::default()));
    let on_missed = row.clone();
    let lock = |row: &std::sync::Mutex<Row>, act: &mut dyn FnMut(&mut Row)| {
        let mut row = row.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut row);
        if !row.is_whole() {
            eprintln!("soak: a slow client saw {row:?}");
            exit(3);
        }
    };
    let client = Client::<Soak>::builder(name)
        .on_event(move |event: SoakEvent| {
            let SoakEvent::Tick { number, bytes } = event else { return };
            lock(&row, &mut |row| row.take(number, &bytes));
            if random.below(50) == 0 {
                thread::sleep(Duration::from_millis(random.below(1_000)));
            }
        })
        .on_missed(move |count| lock(&on_missed, &mut |row| row.miss(count)))
        .connect()?;
    println!("ready");
    crate::wait_for_end_of_input();
    drop(client);
    Ok(())
}

/// Scribbles into its own links and goes on, again and again.
pub(crate) fn hostile(name: &str, seed: u64) -> Outcome {
    println!("ready");
    end_with_input();
    let mut random = Random::new(seed);
    loop {
        let client = Client::<Soak>::builder(name)
            .deadline(Duration::from_millis(20))
            .on_event(|_: SoakEvent| {})
            .connect();
        let Ok(client) = client else { continue };
        for _ in 0..random.below(20) {
            let _ = client.echo(pattern(random.size()));
            for link in open_links() {
                scribble(&link, &mut random);
            }
            let _ = client.note(random.next(), pattern(random.size()));
        }
    }
}

fn scribble(link: &std::fs::File, random: &mut Random) {
    let length = link.metadata().map_or(0, |facts| facts.len()).max(4096);
    let (from, to) = match random.below(3) {
        // Positions and flags.
        0 => (1408, 3456),
        // Header, goodbyes, doorbells.
        1 => (128, 1408),
        _ => (4096, length),
    };
    for _ in 0..=random.below(8) {
        let offset = from + random.below(to - from) / 8 * 8;
        let word = match random.below(4) {
            0 => u64::MAX,
            1 => 0,
            2 => random.below(1 << 20),
            _ => random.next(),
        };
        let _ = link.write_all_at(&word.to_le_bytes(), offset);
    }
}

/// Nobody is left behind when the conductor dies.
fn end_with_input() {
    thread::spawn(|| {
        crate::wait_for_end_of_input();
        exit(0);
    });
}
