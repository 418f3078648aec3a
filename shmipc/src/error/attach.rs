//! Why a name could not be bound or a server not be reached.

use std::io;
use std::time::Duration;

use super::shown::{Shown, debug_is_the_sentence};
use super::{ConfigError, Limit, NameError, Refusal};

debug_is_the_sentence!(BindError, ServeError, ConnectError);

/// Why [`Server::bind`](crate::Server::bind) failed. Nothing is left behind.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The name cannot be a server's.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option of the builder cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another live server has the name.
    #[error(
        "the name {name:?} is served by the live process {pid}; stop that one or choose another \
         name"
    )]
    AlreadyServed {
        /// The name.
        name: String,
        /// The serving process's id, as it gave it. Zero: it is starting and has not said yet.
        pid: u32,
    },
    /// The server that has the name was killed or crashed, and the kernel is not done with it: it
    /// frees the memory, or writes the core. `bind` has waited for five seconds.
    #[error(
        "the name {name:?} is still held by process {pid}, which was killed or crashed: the \
         kernel frees its memory or writes its core; try again in a moment"
    )]
    StillEnding {
        /// The name.
        name: String,
        /// The process's id, as it gave it.
        pid: u32,
    },
    /// The name's segment belongs to another user.
    #[error(
        "the name {name:?} is taken by user {uid}, this process runs as user {own_uid}; choose \
         another name, ask that user to stop, or, if nobody serves it any more, have that user \
         (or root) remove /dev/shm/shmipc.r.{name}"
    )]
    OtherUser {
        /// The name.
        name: String,
        /// The segment's owner.
        uid: u32,
        /// This process's effective user.
        own_uid: u32,
    },
    /// The shared memory file system has no room.
    #[error(
        "shared memory is full: {needed} bytes are needed, {available} are free; make room in \
         /dev/shm or use fewer, smaller rings"
    )]
    NoRoom {
        /// Bytes needed.
        needed: u64,
        /// Bytes free when asked.
        available: u64,
    },
    /// A limit of this process or of the machine was reached.
    #[error("could not {action}: {limit}")]
    Limit {
        /// What was tried.
        action: &'static str,
        /// Which limit.
        limit: Limit,
        /// The system's answer.
        source: io::Error,
    },
    /// A system call failed.
    #[error("could not {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// Why a bound server could not start to serve, or how it failed to end.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener thread could not be started.
    #[error(
        "could not start the listener thread; the process may have too many threads, or the hook \
         of `on_thread` panicked"
    )]
    Thread(#[source] io::Error),
    /// The listener did not end within its bound: a handler is still running.
    #[error(
        "the listener did not end within {} because a handler is still running; it was left to \
         end on its own, so give long work to a thread of yours",
        Shown(*.waited)
    )]
    StillRunning {
        /// How long was waited.
        waited: Duration,
    },
    /// The server was bound by a parent of this process, which was forked since.
    #[error(
        "this server was bound before this process was forked and belongs to its parent; bind in \
         the process that serves"
    )]
    Forked,
    /// The name was removed while the server had it (by `rm`, or by a log-out with
    /// `RemoveIPC=yes`), and another server took it. Two of one name would each have some of
    /// the clients: this one stopped.
    #[error(
        "the name {name:?} was removed from /dev/shm while this server had it, and the process \
         {pid} serves it now; this server stopped: stop that one or choose another name"
    )]
    NameLost {
        /// The name.
        name: String,
        /// The other server's process id, as it gave it.
        pid: u32,
    },
    /// The server has ended, and its name is still there: its process has changed its user since
    /// `bind`, and may not remove it any more.
    #[error(
        "the server has ended, and the name {name:?} is still there: user {uid} bound it, and \
         this process, which runs as user {own_uid} now, may not remove it; have that user remove \
         /dev/shm/shmipc.r.{name}, and bind after the change of the user"
    )]
    NameLeft {
        /// The name.
        name: String,
        /// The user who bound it.
        uid: u32,
        /// This process's effective user.
        own_uid: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// The listener ended by a panic outside of any handler, which is a fault of this library.
    #[error("the listener ended by a panic: {0}; please report this")]
    Panicked(String),
}

/// One difference between two versions of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Both have the variant, with other fields or another reply.
    Changed(String),
    /// Only this process has the variant.
    OnlyHere(String),
    /// Only the server has the variant.
    OnlyServer(String),
    /// The same variants in another order.
    Order,
    /// The events differ: their enum's name, or these of its variants.
    Events {
        /// This process's events.
        enum_name: String,
        /// Where they differ; empty if only the name does.
        differences: Vec<Difference>,
    },
    /// Variants and events are the same; serde's attributes on the enum itself differ.
    Attributes,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed(name) => write!(f, "`{name}` has other fields or another reply"),
            Self::OnlyHere(name) => write!(f, "the server does not know `{name}`"),
            Self::OnlyServer(name) => write!(f, "only the server knows `{name}`"),
            Self::Order => f.write_str("the variants stand in another order"),
            Self::Events { enum_name, differences } if differences.is_empty() => {
                write!(f, "the events are not `{enum_name}`")
            }
            Self::Events { enum_name, differences } => {
                write!(f, "of the events `{enum_name}`: {}", list(differences))
            }
            Self::Attributes => f.write_str("serde's attributes on the enum itself differ"),
        }
    }
}

fn told_pid(pid: u32) -> String {
    if pid == 0 { String::new() } else { format!(" (pid {pid})") }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}

/// Why [`Client::connect`](crate::Client::connect) failed. Nothing is left behind.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name cannot be a server's.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option of the builder cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No live server had the name until the deadline.
    #[error(
        "no server named {name:?} within {}{}; start it, or give `connect_deadline` more time",
        Shown(*.waited),
        if *.stale { " (one that died had it before)" } else { "" }
    )]
    NoServer {
        /// The name.
        name: String,
        /// How long was waited.
        waited: Duration,
        /// Whether a dead server's segment was there; it was removed.
        stale: bool,
    },
    /// A live server has the name and did not take this client on until the deadline.
    #[error(
        "the server {name:?} (pid {pid}) is alive and did not answer within {}; it may be \
         stopped, or in a long handler: give `connect_deadline` more time",
        Shown(*.waited)
    )]
    NotAnswering {
        /// The name.
        name: String,
        /// The server's process id as it gave it.
        pid: u32,
        /// How long was waited.
        waited: Duration,
    },
    /// The name's segment belongs to another user.
    #[error(
        "the name {name:?} belongs to user {uid}, this process runs as user {own_uid} and trusts \
         servers of user {trusted_uid}; if that is the right server, say so with `server_user`"
    )]
    OtherUser {
        /// The name.
        name: String,
        /// The segment's owner.
        uid: u32,
        /// Whose server is trusted: this process's effective user unless
        /// [`server_user`](crate::ClientBuilder::server_user) said otherwise.
        trusted_uid: u32,
        /// This process's effective user.
        own_uid: u32,
    },
    /// What stands under the name was not made by this library.
    #[error(
        "the segment {name:?} was not made by shmipc: it starts with {found:#018x}, expected \
         {expected:#018x}; start the server, whose `bind` replaces it, or choose another name"
    )]
    NotOurs {
        /// The name.
        name: String,
        /// Its first eight bytes.
        found: u64,
        /// The library's mark.
        expected: u64,
    },
    /// The server was built with another layout of the shared memory.
    #[error(
        "the server {name:?} uses layout version {found}, this process {expected}; build both \
         with the same version of shmipc"
    )]
    LayoutVersion {
        /// The name.
        name: String,
        /// The server's version.
        found: u32,
        /// This process's version.
        expected: u32,
    },
    /// The segment is shorter than its header says or than any header is.
    #[error(
        "the segment {name:?} has {length} bytes, {expected} were expected; it was cut: restart \
         the server"
    )]
    Truncated {
        /// The name.
        name: String,
        /// Its length in bytes.
        length: u64,
        /// The length that its header tells, or that a header needs.
        expected: u64,
    },
    /// The server speaks another protocol.
    #[error(
        "the server {name:?} speaks the protocol `{found}`, this process `{expected}`; check the \
         name"
    )]
    OtherProtocol {
        /// The name.
        name: String,
        /// The server's enum.
        found: String,
        /// This process's enum.
        expected: String,
    },
    /// The server was built from another version of the protocol's enum.
    #[error(
        "the server {name:?} was built from another version of `{protocol}`: {}; build \
         both from the same source",
        list(.differences)
    )]
    OtherVersion {
        /// The name.
        name: String,
        /// The enum.
        protocol: String,
        /// Where the two differ.
        differences: Vec<Difference>,
    },
    /// The server answered and did not take this client on.
    #[error("the server {name:?}{} refused the link: {refusal}", told_pid(*.pid))]
    Refused {
        /// The name.
        name: String,
        /// The server's process id as it gave it; zero where this user may not even ask.
        pid: u32,
        /// Its reason.
        refusal: Refusal,
    },
    /// The registry holds what no correct server writes.
    #[error("the registry of {name:?} is damaged: {what}; restart the server")]
    Damaged {
        /// The name.
        name: String,
        /// What was found and what was expected.
        what: String,
    },
    /// The server asks for larger rings than this client makes.
    #[error(
        "the server {name:?} asks for links of {needed} bytes, this client makes none of more \
         than {maximum}; raise `max_link_memory` on the client's builder or choose a smaller \
         `ring_size`"
    )]
    LinkMemory {
        /// The name.
        name: String,
        /// Bytes that the link would have.
        needed: usize,
        /// The client's limit.
        maximum: usize,
    },
    /// The shared memory file system has no room for the link.
    #[error(
        "shared memory is full: the link needs {needed} bytes, {available} are free; make room in \
         /dev/shm or use smaller rings (`ring_size`)"
    )]
    NoRoom {
        /// Bytes needed.
        needed: u64,
        /// Bytes free when asked.
        available: u64,
    },
    /// The thread for events could not be started.
    #[error(
        "could not start the client's listener thread; the process may have too many threads, or \
         the hook of `on_thread` panicked"
    )]
    Thread(#[source] io::Error),
    /// A limit of this process or of the machine was reached.
    #[error("could not {action}: {limit}")]
    Limit {
        /// What was tried.
        action: &'static str,
        /// Which limit.
        limit: Limit,
        /// The system's answer.
        source: io::Error,
    },
    /// A system call failed.
    #[error("could not {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}
