//! What attackers do: each attack is one session, and says what the server must make of it.

mod frames;
mod links;
mod names;
mod offers;
mod payloads;
mod registries;
mod sleepers;

use std::time::Duration;

use fastrand::Rng;

use super::lane::{Frame, Reader, Writer};
use super::layout::{Lane, kind, link};
use super::lies;
use super::link::{Handed, Link, PATIENCE, Plan};
use super::raw::wait_for;
use super::registry::Registry;

/// One session of an attacker.
#[derive(Debug)]
pub struct Session<'a> {
    pub server: &'a Registry,
    pub name: &'a str,
    /// In the upper half of every link's id, so that its name can be told from others'.
    pub mark: u64,
    pub rng: Rng,
}

/// How a session ended that broke no guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It broke the protocol and was told so.
    Accused,
    /// It broke nothing that ends a link, and was served to the end.
    Served,
    /// It wrote at random; whatever the server did is right.
    Whatever,
    /// It was not let in.
    Refused,
}

/// An attack. An error is a broken guarantee.
pub type Attack = fn(&mut Session<'_>) -> Result<Verdict, String>;

/// All attacks, with how often each is chosen.
pub const ATTACKS: &[(&str, u32, Attack)] = &[
    ("bad frame", 12, frames::bad_frame),
    ("bad frame among replies", 3, frames::bad_reply),
    ("positions that jump", 6, frames::jumping_position),
    ("fragments without end", 5, frames::endless),
    ("fragments interleaved", 5, frames::interleaved),
    ("fragments given up", 4, frames::crumbs),
    ("mutated traffic", 14, payloads::mutated),
    ("lies about lengths", 14, payloads::lies),
    ("nesting without end", 3, payloads::abyss),
    ("replies nobody asked for", 6, payloads::unasked),
    ("call ids reused", 5, payloads::reused),
    ("answers to the server's calls", 4, payloads::answers),
    ("random bytes", 12, links::scribble),
    ("control words", 5, links::control_words),
    ("reads nothing", 3, links::reads_nothing),
    ("large replies after a goodbye", 1, links::bomb),
    ("sends without pause", 1, links::hog),
    ("vanishes", 4, links::vanish),
    ("forged link", 10, registries::forged),
    ("slot never finished", 4, registries::unfinished),
    ("flood of connects", 1, registries::flood),
    ("registry's slots and bits", 5, registries::scribble),
    ("registry's header", 1, registries::header),
    ("sleepers moved", 3, sleepers::moved),
    ("wake-ups blocked", 2, sleepers::blocked),
    ("a name swapped for a leased file", 1, names::swapped),
    ("links without memory", 1, offers::sparse),
];

/// The attack that a random number chooses.
#[must_use]
pub fn choose(rng: &mut Rng) -> (&'static str, Attack) {
    let total: u32 = ATTACKS.iter().map(|(_, weight, _)| weight).sum();
    let mut left = rng.u32(0..total);
    for (name, weight, attack) in ATTACKS {
        if left < *weight {
            return (name, *attack);
        }
        left -= weight;
    }
    (ATTACKS[0].0, ATTACKS[0].2)
}

impl Session<'_> {
    /// An id for a link.
    pub fn id(&mut self) -> u128 {
        u128::from(self.mark) << 64 | u128::from(self.rng.u64(..))
    }

    fn ring(&mut self) -> usize {
        [4 << 10, 16 << 10, 64 << 10][self.rng.usize(0..3)]
    }

    /// A link with rings of a random size. `None`: not let in.
    fn link(&mut self) -> Option<Link> {
        let ring = self.ring();
        self.link_as(Plan::rings(ring))
    }

    /// The registry may just be scribbled on, or all links be taken: tried again for a while.
    fn link_as(&mut self, plan: Plan) -> Option<Link> {
        (0..200).find_map(|_| match Link::hand_over(self.server, self.id(), plan, |_| {}) {
            Handed::Linked(link) => Some(link),
            Handed::Refused(_) | Handed::Ignored => {
                std::thread::sleep(Duration::from_millis(10));
                None
            }
        })
    }

    /// Waits for the server's accusation.
    fn accused(&self, link: &Link) -> Result<Verdict, String> {
        match link.wait_for_goodbye(self.server, PATIENCE) {
            link::VIOLATION => Ok(Verdict::Accused),
            0 => Err(format!("no goodbye within {PATIENCE:?}")),
            word => Err(format!("goodbye {word} instead of {}", link::VIOLATION)),
        }
    }

    /// Checks that the link still serves, and leaves.
    fn served(
        &self,
        link: &Link,
        writer: &mut Writer<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<Verdict, String> {
        const MINE: u32 = 0xFFFF_FFF0;
        let asked = writer.put(&Frame::new(kind::REQUEST, MINE, lies::next(0)), PATIENCE);
        if !asked {
            return Err("no room for a request".into());
        }
        let answered = wait_for(PATIENCE, || {
            link.kick(self.server);
            while let Some((_, id, _)) = reader.take() {
                if id == MINE {
                    return Some(());
                }
            }
            None
        });
        let word = link.goodbye();
        link.leave(self.server);
        match answered {
            Some(()) => Ok(Verdict::Served),
            None => Err(format!("a request got no answer; goodbye {word}")),
        }
    }

    /// Lets whatever was written have its effect, and goes.
    fn whatever(&mut self, link: &Link) -> Verdict {
        link.kick(self.server);
        let word = link.wait_for_goodbye(self.server, Duration::from_millis(3));
        // Some leave and some just vanish.
        if word == 0 && self.rng.u8(0..8) > 0 {
            link.leave(self.server);
        }
        if word == link::VIOLATION { Verdict::Accused } else { Verdict::Whatever }
    }

    /// Sends requests and expects an answer to each, whatever it says.
    fn ask_all(
        &self,
        link: &Link,
        payloads: Vec<Vec<u8>>,
        check: impl Fn(u8, &[u8]) -> Result<(), String>,
    ) -> Result<Verdict, String> {
        let mut writer = link.writer(Lane::MessagesToServer);
        let mut reader = link.reader(Lane::RepliesToClient);
        let count = payloads.len();
        for (number, payload) in payloads.into_iter().enumerate() {
            let frame = Frame::new(kind::REQUEST, number as u32 + 1, payload);
            if !writer.put(&frame, PATIENCE) {
                return Err("no room for a request".into());
            }
            link.kick(self.server);
            let answer = wait_for(PATIENCE, || {
                loop {
                    let (kind, id, payload) = reader.take()?;
                    if id == number as u32 + 1 {
                        return Some((kind, payload));
                    }
                }
            });
            match answer {
                Some((kind, payload)) => check(kind, &payload)?,
                None => return Err(format!("{number} of {count} answered")),
            }
        }
        self.served(link, &mut writer, &mut reader)
    }
}
