//! A link made and handed over by hand.

use std::path::PathBuf;
use std::time::Duration;

use super::lane::{Frame, Reader, Writer};
use super::layout::{self, Lane, link, registry};
use super::raw::{Raw, wait_for};
use super::registry::Registry;

/// How long an attacker waits for what an honest server does at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What to write into a link's header.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub message_ring: usize,
    pub reply_ring: usize,
    pub max_message: usize,
    pub flags: u32,
    pub pid: u32,
    /// Whether its memory is left out.
    pub sparse: bool,
}

impl Plan {
    /// An ordinary link with rings of this size.
    #[must_use]
    pub fn rings(bytes: usize) -> Self {
        Self {
            message_ring: bytes,
            reply_ring: bytes,
            max_message: 0,
            flags: link::FLAG_CHECKSUMS,
            pid: std::process::id(),
            sparse: false,
        }
    }

    /// With rings halved until all of it fits.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        while self.length() > bytes {
            self.message_ring /= 2;
            self.reply_ring /= 2;
        }
        self
    }

    /// Bytes in its file.
    #[must_use]
    pub fn length(&self) -> usize {
        link::RINGS + 2 * self.message_ring + 2 * self.reply_ring
    }
}

/// How a hand-over ended.
#[derive(Debug)]
pub enum Handed {
    Linked(Link),
    /// With the server's answer.
    Refused(u32),
    /// Nobody answered, or no slot was free.
    Ignored,
}

/// A link as its maker has it.
#[derive(Debug)]
pub struct Link {
    pub raw: Raw,
    pub rings: (usize, usize),
    pub index: usize,
    path: PathBuf,
}

/// The file of a link.
#[must_use]
pub fn path(id: u128) -> PathBuf {
    PathBuf::from(format!("{}/shmipc.l.{id:032x}", layout::DIRECTORY))
}

/// Makes a link's file with an honest header, and takes the client's lock.
///
/// # Errors
/// Shared memory is full.
pub fn make(server: &Registry, id: u128, plan: Plan) -> std::io::Result<Raw> {
    let raw = match plan.sparse {
        true => Raw::create_sparse(&path(id), plan.length())?,
        false => Raw::create(&path(id), plan.length())?,
    };
    write_header(server, &raw, plan);
    Ok(raw)
}

/// Writes an honest header into a file of the right length, and takes the client's lock.
pub fn write_header(server: &Registry, raw: &Raw, plan: Plan) {
    let max_message = match plan.max_message {
        0 => server.raw.get64(registry::MAX_MESSAGE),
        bytes => bytes as u64,
    };
    raw.set32(link::DOORBELL, 1);
    raw.set64(link::LENGTH, plan.length() as u64);
    raw.set64(link::FINGERPRINT, server.raw.get64(registry::FINGERPRINT));
    raw.set64(link::MESSAGE_RING, plan.message_ring as u64);
    raw.set64(link::REPLY_RING, plan.reply_ring as u64);
    raw.set64(link::MAX_MESSAGE, max_message);
    raw.set32(link::CLIENT_PID, plan.pid);
    raw.set32(link::FLAGS, plan.flags);
    raw.set64(link::MAGIC, layout::MAGIC);
    raw.set32(link::VERSION, layout::VERSION);
    let _ = raw.lock(link::CLIENT_BYTE);
}

impl Link {
    /// Makes a link and hands it over; `spoil` may change it before the server sees it.
    pub fn hand_over(server: &Registry, id: u128, plan: Plan, spoil: impl FnOnce(&Raw)) -> Handed {
        let Ok(raw) = make(server, id, plan) else { return Handed::Ignored };
        spoil(&raw);
        Self::offer(server, id, plan, raw)
    }

    /// Hands a link over that was made already.
    pub fn offer(server: &Registry, id: u128, plan: Plan, raw: Raw) -> Handed {
        let mut made =
            Self { raw, rings: (plan.message_ring, plan.reply_ring), index: 0, path: path(id) };
        let Some(slot) = wait_for(PATIENCE, || server.claim()) else {
            made.remove_name();
            return Handed::Ignored;
        };
        // Another attacker may scribble over the slot meanwhile: offered again until there is an
        // answer.
        let answer = (0..40).find_map(|_| {
            server.offer(slot, id);
            wait_for(PATIENCE / 40, || server.answer(slot, id))
        });
        server.release(slot);
        match answer {
            Some(registry::ACCEPTED) => {
                made.index = made.raw.get32(link::SERVER_INDEX) as usize;
                Handed::Linked(made)
            }
            other => {
                made.remove_name();
                other.map_or(Handed::Ignored, Handed::Refused)
            }
        }
    }

    /// The writing end of a lane. To be made once for each lane, before anything was written.
    #[must_use]
    pub fn writer(&self, lane: Lane) -> Writer<'_> {
        Writer::new(&self.raw, lane, self.rings)
    }

    /// The reading end of a lane.
    #[must_use]
    pub fn reader(&self, lane: Lane) -> Reader<'_> {
        Reader::new(&self.raw, lane, self.rings)
    }

    /// Writes a frame as the first of a lane.
    pub fn put_first(&self, lane: Lane, frame: &Frame) {
        self.writer(lane).put(frame, PATIENCE);
    }

    /// Has the server look at this link.
    pub fn kick(&self, server: &Registry) {
        server.mark_ready(self.index);
    }

    /// What the server said at the end; zero: nothing yet.
    #[must_use]
    pub fn goodbye(&self) -> u32 {
        self.raw.get32(link::SERVER_GOODBYE)
    }

    /// Waits for the server's goodbye.
    #[must_use]
    pub fn wait_for_goodbye(&self, server: &Registry, time: Duration) -> u32 {
        let mut looks = 0_u32;
        let waited = wait_for(time, || {
            // The marks may be lost where the registry is scribbled on at the same time.
            if looks.is_multiple_of(64) {
                self.kick(server);
            }
            looks += 1;
            Some(self.goodbye()).filter(|word| *word != 0)
        });
        waited.unwrap_or(0)
    }

    /// Fills a lane with frames that follow each other without end: as no header's place is ever
    /// cleared, the consumer finds the next one, lap after lap.
    pub fn fill_lane(&self, lane: Lane, kind: u8) {
        let mut writer = self.writer(lane);
        let quarter = writer.capacity() / 4 - super::layout::HEADER;
        writer.fill(&Frame::new(kind, 77, vec![0xFF; quarter]));
    }

    /// Says goodbye as an honest client would.
    pub fn leave(&self, server: &Registry) {
        self.raw.set32(link::CLIENT_GOODBYE, 1);
        self.kick(server);
    }

    /// Removes the link's name, where the server has not done so.
    pub fn remove_name(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
