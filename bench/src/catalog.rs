//! Who is measured at what.

use bench_kit::Workload;

use Workload::{
    BesideLarge, Blob1m, Blob64k, Connect, FanIn, Idle, IdleLinks, Notices, RttDefault, RttOneCore,
    RttSleep, RttSpin,
};

/// What a peer is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This library.
    Ours,
    /// What the machine allows.
    Limit,
    /// Typed messages through its own interface.
    Typed,
    /// Bytes, to which we add the codec.
    Bytes,
    /// Plain structs or slices in place: no `String`, no enum.
    Plain,
}

/// One row's maker.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The package under `peers/`; `None`: this very program.
    pub(crate) package: Option<&'static str>,
    pub(crate) workloads: &'static [Workload],
    /// Does it copy large payloads, rather than give them away in place?
    pub(crate) copies: bool,
    pub(crate) what: &'static str,
}

impl Peer {
    pub(crate) fn is_rival(&self) -> bool {
        !matches!(self.kind, Kind::Ours | Kind::Limit)
    }

    /// Does it take two processes?
    pub(crate) fn has_server(&self) -> bool {
        self.name != "limit-codec"
    }
}

const fn own(
    name: &'static str,
    kind: Kind,
    workloads: &'static [Workload],
    what: &'static str,
) -> Peer {
    Peer { name, kind, package: None, workloads, copies: true, what }
}

const fn rival(
    package: &'static str,
    name: &'static str,
    kind: Kind,
    workloads: &'static [Workload],
    what: &'static str,
) -> Peer {
    Peer { name, kind, package: Some(package), workloads, copies: true, what }
}

/// Round trips of peers that sleep by themselves.
const SLEEPING: &[Workload] =
    &[RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, FanIn, IdleLinks, Connect, Idle];
/// The same, where a server has one client.
const PAIR: &[Workload] = &[RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, Idle];
/// Round trips only, as many as come.
const CALLS: &[Workload] = &[RttDefault, RttSleep, RttOneCore, IdleLinks, Connect, Idle];

/// What every peer of a pair does that is only two processes.
const PLAIN: &[Workload] = &[
    RttSpin, RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, FanIn, IdleLinks, Connect,
    Idle,
];

/// All peers, in the table's order.
pub(crate) const PEERS: &[Peer] = &[
    own("limit-atomics", Kind::Limit, &[RttSpin, RttDefault], "two atomics, both sides spinning"),
    own(
        "limit-futex",
        Kind::Limit,
        &[RttDefault, RttSleep, RttOneCore],
        "two futexes, both sides sleeping",
    ),
    own(
        "limit-copy",
        Kind::Limit,
        &[Blob64k, Blob1m],
        "copy into shared memory, copy out of it; the best of several ring sizes",
    ),
    own(
        "limit-codec",
        Kind::Limit,
        &[RttSpin, Notices, Blob64k, Blob1m],
        "bincode alone: encoding and decoding in one process, of a round trip twice",
    ),
    own("ours", Kind::Ours, PLAIN, "this library, CRC on, owned values"),
    own(
        "ours-nocrc",
        Kind::Ours,
        &[RttSpin, RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, FanIn, IdleLinks],
        "the same with `checksums(false)`",
    ),
    own(
        "ours-borrowed",
        Kind::Ours,
        &[RttSpin, RttDefault, Notices, Blob64k, Blob1m],
        "the same, CRC on, with `&'a str` and `&'a [u8]`",
    ),
    own(
        "ours-nocrc-borrowed",
        Kind::Ours,
        &[Blob64k, Blob1m],
        "the same, with `&'a [u8]` and `checksums(false)`",
    ),
    own("ours-event", Kind::Ours, PLAIN, "the same, CRC on, with `Doorbell::Event`"),
    own(
        "beside-encoding",
        Kind::Ours,
        &[BesideLarge],
        "this library, while another thread of the server only encodes large values",
    ),
    own(
        "beside-reader",
        Kind::Ours,
        &[BesideLarge],
        "the same, while it sends them as events to another client, which reads at once",
    ),
    own("beside-slow", Kind::Ours, &[BesideLarge], "the same, to one that pauses after each"),
    own("beside-unread", Kind::Ours, &[BesideLarge], "the same, to one that does not read"),
    own(
        "beside-own-encoding",
        Kind::Ours,
        &[BesideLarge],
        "this library, while two other threads of the client only encode large values",
    ),
    own(
        "beside-own-senders",
        Kind::Ours,
        &[BesideLarge],
        "the same, while they send them as notices over the same client",
    ),
    own("unix-socket", Kind::Bytes, SLEEPING, "Unix socket and bincode, a system call each"),
    own(
        "unix-socket-batched",
        Kind::Bytes,
        &[RttDefault, Notices, FanIn],
        "the same, hand-batched with `BufWriter` and `BufReader` of 64 KiB",
    ),
    rival(
        "peer-iceoryx2",
        "iceoryx2-pubsub",
        Kind::Plain,
        &[RttSpin, Notices],
        "iceoryx2, publish-subscribe of a plain struct, polled",
    ),
    rival(
        "peer-iceoryx2",
        "iceoryx2-reqres",
        Kind::Plain,
        &[RttSpin],
        "iceoryx2, request-response of a plain struct, polled",
    ),
    rival(
        "peer-iceoryx2",
        "iceoryx2-bincode",
        Kind::Bytes,
        &[RttSpin, Notices, Blob64k, Blob1m],
        "iceoryx2, publish-subscribe of bytes and bincode, polled",
    ),
    Peer {
        copies: false,
        ..rival(
            "peer-iceoryx2",
            "iceoryx2-slices",
            Kind::Plain,
            &[Blob64k, Blob1m],
            "iceoryx2, bytes copied into shared memory once and read in place",
        )
    },
    rival(
        "peer-iceoryx2",
        "iceoryx2-event",
        Kind::Plain,
        &[RttDefault, RttSleep, RttOneCore, Connect, Idle],
        "iceoryx2, publish-subscribe of a plain struct with its events to sleep on",
    ),
    rival(
        "peer-ringfire",
        "ringfire",
        Kind::Bytes,
        &[RttSpin, RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, Idle],
        "ringfire, bytes and bincode; blobs polled, since its blob ring knows no waiting",
    ),
    rival(
        "peer-ipmpsc",
        "ipmpsc",
        Kind::Typed,
        &[RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, FanIn, Idle],
        "ipmpsc, its own typed messages",
    ),
    Peer {
        copies: false,
        ..rival(
            "peer-ipmpsc",
            "ipmpsc-borrowed",
            Kind::Plain,
            &[Blob64k, Blob1m],
            "ipmpsc, bytes copied into shared memory once and decoded in place",
        )
    },
    rival(
        "peer-ipc-channel",
        "ipc-channel",
        Kind::Typed,
        &[RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m, FanIn, Idle],
        "ipc-channel, its own typed messages",
    ),
    rival(
        "peer-ipc-channel",
        "ipc-channel-bytes",
        Kind::Bytes,
        &[Blob64k, Blob1m],
        "ipc-channel, its channel for bytes",
    ),
    rival(
        "peer-cloudwego",
        "cloudwego-shmipc",
        Kind::Bytes,
        PAIR,
        "the shmipc of cloudwego, bytes and bincode; V4 with eventfd, as it recommends",
    ),
    rival(
        "peer-rapace",
        "rapace",
        Kind::Typed,
        &[RttDefault, RttSleep, RttOneCore, Idle],
        "rapace, its own typed calls over its shared-memory transport",
    ),
    rival(
        "peer-tarpc",
        "tarpc",
        Kind::Typed,
        CALLS,
        "tarpc, its own typed calls over a Unix socket with bincode",
    ),
    rival(
        "peer-native",
        "boost-queue",
        Kind::Bytes,
        &[RttDefault, RttSleep, RttOneCore, Notices, Blob64k, Blob1m],
        "Boost.Interprocess `message_queue`, bytes and bincode; needs `native/build`",
    ),
    rival(
        "peer-native",
        "qt-model",
        Kind::Bytes,
        &[RttDefault, RttSleep, RttOneCore],
        "a Qt pair of one `QSharedMemory` slot and two semaphores; needs `native/build`",
    ),
];

/// Every peer's name.
pub(crate) fn peer_names() -> Vec<&'static str> {
    PEERS.iter().map(|peer| peer.name).collect()
}

/// What a workload is varied over; `None` for most.
pub(crate) fn parameters(workload: Workload) -> &'static [Option<u64>] {
    match workload {
        FanIn => &[Some(1), Some(2), Some(4), Some(8)],
        IdleLinks => &[Some(0), Some(16), Some(64), Some(256)],
        BesideLarge => &[Some(100), Some(1024), Some(8192)],
        _ => &[None],
    }
}

/// The limit that a workload's figures are set beside.
pub(crate) fn limit(workload: Workload) -> Option<&'static str> {
    match workload {
        RttSpin | RttDefault => Some("limit-atomics"),
        RttSleep | RttOneCore => Some("limit-futex"),
        Notices => Some("limit-codec"),
        Blob64k | Blob1m => Some("limit-copy"),
        FanIn | IdleLinks | BesideLarge | Connect | Idle => None,
    }
}

/// What a row of `beside-large` is set beside: the same threads, which only encode.
pub(crate) fn only_encodes(peer: &str) -> &'static str {
    if peer.starts_with("beside-own") { "beside-own-encoding" } else { "beside-encoding" }
}

/// One line on what a workload is.
pub(crate) fn describe(workload: Workload) -> &'static str {
    match workload {
        RttSpin => "round trip, both sides spinning",
        RttDefault => "round trip, nothing tuned",
        RttSleep => "round trip, nobody spins",
        RttOneCore => "round trip, nothing tuned, both processes on one core",
        Notices => "small messages one way, until the receiver has confirmed all",
        Blob64k => "64 KiB one way, until the receiver has confirmed all",
        Blob1m => "1 MiB one way, until the receiver has confirmed all",
        FanIn => "small messages one way from n processes on one core to one on another",
        IdleLinks => "round trip on one link while n others are idle",
        BesideLarge => {
            "round trip while other threads send messages of so many KiB; the server has one core"
        }
        Connect => "connecting, up to the first reply",
        Idle => "a pair that says nothing: p50 is its CPU time and per s its wake-ups in a second",
    }
}
