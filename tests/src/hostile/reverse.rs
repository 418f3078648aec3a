//! The reverse: a server that takes clients on and then does whatever it likes, and an honest
//! client that must always end with an answer or a typed error, in time.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use shmipc::{Client, Server};

use super::attacker::session_rng;
use super::lane::{Frame, Writer};
use super::layout::{self, Lane, kind, link, registry};
use super::link::path as link_path;
use super::protocol::{Rich, RichClient, RichEvent, Value};
use super::raw::{Raw, wait_for};
use super::registry::{Registry, path as registry_path};
use super::serve::{Keeper, MAX_MESSAGE, RING};

/// What the client of a hostile server saw.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Account {
    pub sessions: u64,
    pub connects_refused: u64,
    pub calls_answered: u64,
    pub calls_failed: u64,
    pub slowest_ms: f64,
}

/// Deadlines of the honest client.
const CALL: Duration = Duration::from_millis(60);
const CONNECT: Duration = Duration::from_millis(300);
/// What a call may take beyond its deadline before it counts as hung.
const GRACE: Duration = Duration::from_secs(5);

/// Connects again and again, calls, and prints its account.
///
/// # Errors
/// A call or a connect took far longer than its deadline.
pub fn victim(name: &str, sessions: u64) -> Result<(), Box<dyn Error>> {
    let mut account = Account::default();
    while account.sessions < sessions {
        account.sessions += 1;
        let started = Instant::now();
        let client = Client::<Rich>::builder(name)
            .connect_deadline(CONNECT)
            .deadline(CALL)
            .on_event(|_event: RichEvent| {})
            .connect();
        check_time("connect", started, CONNECT)?;
        let Ok(client) = client else {
            account.connects_refused += 1;
            // One lie of the server is one session.
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        for number in 0..4 {
            let started = Instant::now();
            let failed = match number {
                0 => client.next(number).map(drop).is_err(),
                1 => client.put(Value::sample(account.sessions)).map(drop).is_err(),
                2 => client.echo(vec![1; 100_000]).map(drop).is_err(),
                _ => client.told(number).is_err(),
            };
            check_time("call", started, CALL)?;
            account.slowest_ms = account.slowest_ms.max(started.elapsed().as_secs_f64() * 1e3);
            account.calls_failed += u64::from(failed);
            account.calls_answered += u64::from(!failed);
        }
        let _ = client.take_rejections();
        let started = Instant::now();
        drop(client);
        check_time("drop", started, CALL)?;
        if account.sessions % 20 == 0 {
            println!("at {}", account.sessions);
        }
    }
    println!("{}", serde_json::to_string(&account)?);
    Ok(())
}

fn check_time(what: &str, started: Instant, deadline: Duration) -> Result<(), String> {
    let waited = started.elapsed();
    if waited > deadline + GRACE {
        return Err(format!("a {what} with a deadline of {deadline:?} took {waited:?}"));
    }
    Ok(())
}

/// A registry that looks like a real server's and is not one's.
struct Forgery {
    registry: Registry,
    honest: Vec<u8>,
}

impl Forgery {
    fn make(name: &str) -> Result<Self, Box<dyn Error>> {
        let real = format!("{name}-real");
        let server = Server::<Rich>::builder(&real).ring_size(RING).max_message(MAX_MESSAGE);
        let running = server.bind()?.serve(Keeper::default())?;
        let honest = fs::read(registry_path(&real))?;
        running.stop()?;
        let file = registry_path(name);
        fs::write(&file, &honest)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let registry = Registry::open(name)?;
        if !registry.raw.lock(registry::SERVER_BYTE) {
            return Err("the forged registry is somebody else's".into());
        }
        Ok(Self { registry, honest })
    }

    /// Puts the honest bytes back, but for the slots.
    fn mend(&self) {
        self.registry.raw.write(0, &self.honest[..registry::SLOTS]);
        self.registry.raw.write(registry::SCHEMA, &self.honest[registry::SCHEMA..]);
    }

    /// A link that somebody offers.
    fn offered(&self) -> Option<(usize, u128)> {
        (0..registry::SLOT_COUNT).find_map(|index| {
            let (slot, raw) = (Registry::slot(index), &self.registry.raw);
            if raw.get32(slot + registry::SLOT_REQUEST) != registry::READY_REQUEST {
                return None;
            }
            let [high, low] = [0, 8].map(|half| raw.get64(slot + registry::SLOT_LINK + half));
            let id = u128::from(high) << 64 | u128::from(low);
            (self.registry.answer(index, id).is_none()).then_some((index, id))
        })
    }

    fn answer(&self, index: usize, id: u128, answer: u32) {
        let (slot, raw) = (Registry::slot(index), &self.registry.raw);
        raw.set32(slot + registry::SLOT_ANSWER, answer);
        raw.set64(slot + registry::SLOT_ANSWERED, (id >> 64) as u64);
        raw.set64(slot + registry::SLOT_ANSWERED + 8, id as u64);
    }
}

/// Serves as no honest server does, until it is killed.
///
/// # Errors
/// The registry cannot be made.
pub fn serve(name: &str, seed: u64) -> Result<(), Box<dyn Error>> {
    let forgery = Forgery::make(name)?;
    println!("ready");
    for session in 0.. {
        let mut rng = session_rng(seed, session);
        forgery.mend();
        let lies = rng.u8(0..6) == 0;
        if lies {
            lie_in_registry(&forgery.registry.raw, &mut rng);
        }
        // Most lies keep everybody from offering anything.
        let patience = Duration::from_millis(if lies { 5 } else { 400 });
        let offered = wait_for(patience, || forgery.offered());
        forgery.mend();
        let Some((slot, id)) = offered else { continue };
        let file = link_path(id);
        let Ok(raw) = Raw::open(&file) else {
            forgery.answer(slot, id, 3);
            continue;
        };
        let _ = raw.lock(link::SERVER_BYTE);
        let _ = fs::remove_file(&file);
        raw.set32(link::SERVER_INDEX, if rng.bool() { 0 } else { rng.u32(..) });
        raw.set32(link::SERVER_PID, std::process::id());
        raw.set64(link::SERVER_ID, rng.u64(..));
        raw.set32(link::SERVER_ACCEPTED, u32::from(rng.u8(0..12) > 0));
        forgery.answer(slot, id, if rng.u8(0..12) > 0 { registry::ACCEPTED } else { rng.u32(..) });
        attack(&raw, &mut rng);
    }
    Ok(())
}

fn lie_in_registry(raw: &Raw, rng: &mut Rng) {
    match rng.u8(0..5) {
        0 => raw.set32(registry::SCHEMA_LENGTH, rng.u32(..)),
        1 => raw.set64(registry::MAGIC, rng.u64(..)),
        2 => raw.set64(registry::MESSAGE_RING, 1 << rng.u32(0..64)),
        3 => raw.write(registry::SCHEMA + rng.usize(0..100), &rng.u64(..).to_le_bytes()),
        _ => raw.write(4 * rng.usize(3..20), &rng.u32(..).to_le_bytes()),
    }
    // No doorbell but the futex: the other kind's peer has to be trusted, as its docs say.
    raw.set32(12, 1);
}

/// What the client reads is written by this.
fn attack(raw: &Raw, rng: &mut Rng) {
    let rings = [link::MESSAGE_RING, link::REPLY_RING].map(|word| raw.get64(word) as usize);
    let rings = (rings[0], rings[1]);
    if link::RINGS + 2 * rings.0 + 2 * rings.1 != raw.length() {
        return;
    }
    let mut replies = Writer::new(raw, Lane::RepliesToClient, rings);
    let mut events = Writer::new(raw, Lane::MessagesToClient, rings);
    let started = Instant::now();
    let time = Duration::from_millis(rng.u64(1..80));
    while started.elapsed() < time && raw.get32(link::CLIENT_GOODBYE) == 0 {
        match rng.u8(0..9) {
            0 => {
                let length = rng.usize(1..200);
                let most = if rng.bool() { link::RINGS } else { raw.length() };
                let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
                raw.write(rng.usize(128..most - length), &bytes);
            }
            1 => {
                let head = Lane::MessagesToServer.control() + layout::lane::HEAD;
                raw.set64(head, 64 * rng.u64(0..3_000));
            }
            2 if rng.u8(0..20) == 0 => raw.set32(link::SERVER_GOODBYE, rng.u32(0..6)),
            3..=5 => {
                replies.put(&answer(rng), Duration::ZERO);
            }
            _ => {
                events.put(&answer(rng), Duration::ZERO);
            }
        }
        for bell in 0..4 {
            raw.ring(link::BELLS + bell * link::BELL_LENGTH);
        }
        std::thread::sleep(Duration::from_micros(rng.u64(0..500)));
    }
}

/// A frame of any kind, most often to one of the client's first calls.
fn answer(rng: &mut Rng) -> Frame {
    let payload: Vec<u8> = match rng.u8(0..4) {
        0 => (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect(),
        1 => super::lies::put(rng, 3)[4..].to_vec(),
        // What the first call is answered with by an honest server.
        2 => [5_u64.to_le_bytes().to_vec(), vec![1]].concat(),
        _ => vec![0; rng.usize(0..5_000)],
    };
    let kind = if rng.bool() { kind::REPLY } else { rng.u8(1..5) };
    let mut frame = Frame::new(kind, rng.u32(0..5), payload);
    match rng.u8(0..24) {
        0 => frame.kind = rng.u8(0..),
        1 => frame.flags = rng.u8(..),
        2 => frame.damage = rng.u32(..),
        3 => frame.length = rng.u32(..),
        4..=6 => frame = Frame::fragment(kind::REPLY, rng.u8(0..4), rng.u32(0..5), frame.payload),
        _ => {}
    }
    frame
}
