//! What to kill, where, and how often.

/// Which side dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Where it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At the nth time that it reaches this step.
    Step(&'static str, u32),
    /// After so many microseconds.
    Moment(u64),
}

/// A trial, made of the sweep's seed and the trial's number alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) side: Side,
    pub(crate) at: At,
    pub(crate) seed: u64,
    pub(crate) event: bool,
    pub(crate) ring: usize,
    pub(crate) spins: bool,
}

/// A step, with the latest occurrence at which each side is killed (0: that side never reaches it).
type Row = (&'static str, u32, u32);

/// Every step of [`shmipc::step::NAMES`].
const TABLE: &[Row] = &[
    ("bind.begin", 0, 1),
    ("bind.prepared", 0, 1),
    ("bind.published", 0, 1),
    ("create.named", 3, 1),
    ("create.locked", 3, 1),
    ("take-over.claimed", 1, 1),
    ("take-over.unlinked", 0, 1),
    ("connect.attached", 3, 0),
    ("connect.claimed", 3, 0),
    ("connect.announced", 3, 0),
    ("connect.made", 3, 0),
    ("hand-over.offered", 3, 0),
    ("hand-over.answered", 3, 0),
    ("hand-over.opened", 0, 2),
    ("hand-over.locked", 0, 2),
    ("hand-over.accepted", 0, 2),
    ("hand-over.answering", 0, 2),
    ("reserve", 60, 60),
    ("encode", 200, 200),
    ("publish.before", 60, 60),
    ("publish.after", 60, 60),
    ("ring.marked", 6, 0),
    ("ring.before", 6, 6),
    ("wake", 4, 4),
    ("take.copied", 40, 40),
    ("take.published", 40, 40),
    ("dispatch.before", 20, 40),
    ("dispatch.after", 20, 40),
    ("reply.before", 10, 20),
    ("reply.after", 10, 20),
    ("reap.slot", 0, 1),
    ("reap.answers", 2, 0),
    ("reap.departed", 0, 1),
    ("unlink.before", 1, 2),
    ("unlink.after", 1, 2),
    ("goodbye.closing", 2, 2),
    ("goodbye.said", 2, 2),
    ("goodbye.released", 0, 1),
];

/// Steps of the sides that reach them.
pub(crate) fn entries() -> Vec<(&'static str, Side, u32)> {
    let sides = TABLE.iter().flat_map(|(name, client, server)| {
        [(*name, Side::Client, *client), (*name, Side::Server, *server)]
    });
    sides.filter(|(_, _, latest)| *latest > 0).collect()
}

/// Steps that the table does not know, or that are none.
pub(crate) fn strangers() -> Vec<&'static str> {
    let listed: Vec<_> = TABLE.iter().map(|(name, _, _)| *name).collect();
    let names = shmipc::step::NAMES;
    let unlisted = names.iter().filter(|name| !listed.contains(name));
    unlisted.chain(listed.iter().filter(|name| !names.contains(name))).copied().collect()
}

impl Plan {
    /// Trial `number`: `rounds` at each step come first.
    pub(crate) fn of(sweep_seed: u64, rounds: u64, number: u64) -> Self {
        let entries = entries();
        let mut random = fastrand::Rng::with_seed(sweep_seed.wrapping_mul(0x9e37_79b9) ^ number);
        // The first numbers of neighbouring seeds are alike.
        let seed = (0..4).map(|_| random.u64(..)).last().unwrap_or(0);
        let index = (number % entries.len() as u64) as usize;
        let (side, at) = match entries.get(index) {
            Some((name, side, latest)) if number / (entries.len() as u64) < rounds => {
                (*side, At::Step(name, random.u32(1..=*latest)))
            }
            _ if random.bool() => (Side::Client, At::Moment(random.u64(0..12_000))),
            _ => (Side::Server, At::Moment(random.u64(0..20_000))),
        };
        let ring = 4096 << random.u32(0..5);
        let (event, spins) = (random.u32(0..4) == 0, random.bool());
        Self { number, side, at, seed, event, ring, spins }
    }

    /// The step, or "a random moment".
    pub(crate) fn place(&self) -> &'static str {
        match self.at {
            At::Step(name, _) => name,
            At::Moment(_) => "a random moment",
        }
    }

    fn is_at(&self, begin: &str) -> bool {
        matches!(self.at, At::Step(name, _) if name.starts_with(begin))
    }

    /// Whether what a dead server left must be there first.
    pub(crate) fn wants_stale_name(&self) -> bool {
        self.is_at("take-over") || self.side == Side::Client && self.is_at("unlink")
    }

    /// Whether a client must die first, and at which of its steps.
    pub(crate) fn wants_dead_client(&self) -> Option<&'static str> {
        match self.at {
            At::Step("reap.slot", _) => Some("connect.made"),
            At::Step("reap.departed", _) => Some("publish.after"),
            _ => None,
        }
    }

    /// Whether calls that end by their deadline are wanted.
    pub(crate) fn wants_dawdling(&self) -> bool {
        self.is_at("reap")
    }

    /// Whether the victim, a server, is to stop in an orderly way.
    pub(crate) fn wants_stop(&self) -> bool {
        self.side == Side::Server && self.is_at("goodbye")
    }
}
