//! An attacking process: session after session, each with a seed of its own.

use std::collections::BTreeMap;
use std::error::Error;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::attacks::{Session, Verdict, choose};
use super::registry::Registry;

/// What an attacker did, and what became of it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Tally {
    pub sessions: u64,
    /// Told by the server that it broke the protocol.
    pub accused: u64,
    /// Broke nothing that ends a link, and was served to the end.
    pub served: u64,
    /// Wrote at random, and the server went on.
    pub whatever: u64,
    /// Not let in.
    pub refused: u64,
    /// Sessions by attack.
    pub attacks: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another attacker's.
    pub fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.accused += other.accused;
        self.served += other.served;
        self.whatever += other.whatever;
        self.refused += other.refused;
        for (name, count) in &other.attacks {
            *self.attacks.entry(name.clone()).or_default() += count;
        }
    }
}

/// The random numbers of one session.
#[must_use]
pub fn session_rng(seed: u64, session: u64) -> Rng {
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ session)
}

/// The upper half of all link ids of a run.
#[must_use]
pub fn mark(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Makes sessions `first`, `first + step`, … below `end` on the server, and prints the tally.
///
/// # Errors
/// A guarantee was broken; the text names the session and what happened.
pub fn run(name: &str, seed: u64, numbers: [u64; 3]) -> Result<(), Box<dyn Error>> {
    let [first, step, end] = numbers;
    let server = Registry::open(name)?;
    let mut tally = Tally::default();
    for number in (first..end).step_by(step as usize) {
        let mut rng = session_rng(seed, number);
        let (attack, run) = choose(&mut rng);
        let mut session = Session { server: &server, name, mark: mark(name), rng };
        let verdict = run(&mut session)
            .map_err(|error| format!("session {number} of seed {seed}, {attack}: {error}"))?;
        tally.sessions += 1;
        *tally.attacks.entry(attack.into()).or_default() += 1;
        match verdict {
            Verdict::Accused => tally.accused += 1,
            Verdict::Served => tally.served += 1,
            Verdict::Whatever => tally.whatever += 1,
            Verdict::Refused => tally.refused += 1,
        }
        if tally.sessions % 50 == 0 {
            println!("at {number}");
        }
    }
    println!("{}", serde_json::to_string(&tally)?);
    Ok(())
}
