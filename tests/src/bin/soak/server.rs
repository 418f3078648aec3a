//! The soak's servers: take notes, answer, and broadcast without end.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shmipc::{Context, Departure, Doorbell, Server};
use shmipc_tests::protocol::pattern;

use crate::protocol::{Random, Row, Rows, Soak, SoakEvent, SoakEventClient, SoakHandler};

/// Between two broadcasts.
const PAUSE: Duration = Duration::from_millis(2);

struct Keeper {
    notes: Rows,
    /// The number of the next event.
    next_event: Arc<AtomicU64>,
    visitors: u64,
    sent_away: u64,
}

impl SoakHandler for Keeper {
    fn note(&mut self, cx: &Context<Soak>, number: u64, bytes: Vec<u8>) {
        let row = self.notes.entry(cx.peer().id()).or_insert_with(Row::from_zero);
        row.take(number, &bytes);
    }

    fn notes(&mut self, cx: &Context<Soak>) -> Row {
        self.notes.get(&cx.peer().id()).copied().unwrap_or_else(Row::from_zero)
    }

    fn echo(&mut self, _cx: &Context<Soak>, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn ask_back(&mut self, cx: &Context<Soak>, value: u64) -> u64 {
        // A hostile or stopped caller is not waited for.
        let peer = cx.peer().with_deadline(Duration::from_millis(200));
        peer.double(value).unwrap_or(u64::MAX)
    }

    fn next_event(&mut self, _cx: &Context<Soak>) -> u64 {
        self.next_event.load(Ordering::Acquire)
    }

    fn visitors(&mut self, cx: &Context<Soak>) -> (u64, u64, u64) {
        (cx.server().peers().len() as u64, self.visitors, self.sent_away)
    }

    fn peer_arrived(&mut self, _cx: &Context<Soak>) {
        self.visitors += 1;
    }

    fn peer_departed(&mut self, cx: &Context<Soak>, departure: &Departure) {
        self.notes.remove(&cx.peer().id());
        self.sent_away += u64::from(matches!(departure, Departure::Violation(_)));
    }
}

/// Serves until its input ends.
pub(crate) fn serve(name: &str, doorbell: Doorbell, seed: u64) -> Result<(), Box<dyn Error>> {
    let next_event = Arc::new(AtomicU64::new(0));
    let keeper =
        Keeper { notes: Rows::new(), next_event: next_event.clone(), visitors: 0, sent_away: 0 };
    let running = Server::<Soak>::builder(name)
        .doorbell(doorbell)
        .ring_size(64 << 10)
        .max_message(2 << 20)
        .max_queued(1 << 20)
        .bind()?
        .serve(keeper)?;
    println!("ready");
    let handle = running.handle();
    let broadcasts = running.handle();
    thread::spawn(move || {
        let mut random = Random::new(seed);
        loop {
            let number = next_event.load(Ordering::Relaxed);
            broadcasts.broadcast(&SoakEvent::Tick { number, bytes: pattern(random.size() / 4) });
            next_event.store(number + 1, Ordering::Release);
            thread::sleep(PAUSE);
        }
    });
    thread::spawn(move || {
        crate::wait_for_end_of_input();
        handle.stop();
    });
    running.join()?;
    Ok(())
}
