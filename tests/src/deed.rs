//! What user code may do wherever the library runs it: a protocol whose values, handlers and
//! closures do a *deed* at a *spot*, once, in the process that armed them. For `user_code`.

#![allow(missing_docs, reason = "the variants and fields say it all")]
#![allow(clippy::panic, reason = "a deed of user code")]

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shmipc::{Context, Departure, ShmMessage};

/// Where user code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spot {
    /// A handler's method, or a closure in its place.
    Run,
    Arrive,
    Depart,
    Missed,
    Encode,
    Decode,
    /// A message or a reply is dropped.
    DropValue,
    /// The handler or a closure is dropped.
    DropHandler,
    /// `send_all` asks for the next message.
    Iterate,
}

/// What it does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deed {
    Panic,
    /// Panics with what panics again when it is dropped.
    PanicTwice,
    /// Waits until [`go_on`].
    Block,
    /// Sends, calls, broadcasts.
    CallBack,
    /// Ends the own side: stops the server, or closes the client and drops it.
    End,
    /// Forks; the child comes out of the user's code too.
    Fork,
    Exit,
}

impl Deed {
    pub const ALL: [Self; 7] = [
        Self::Panic,
        Self::PanicTwice,
        Self::Block,
        Self::CallBack,
        Self::End,
        Self::Fork,
        Self::Exit,
    ];
}

/// A value's name on the command line.
#[must_use]
pub fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

type Act = Box<dyn Fn() + Send + Sync>;

struct Armed {
    spot: Spot,
    deed: Deed,
    call_back: Act,
    end: Act,
}

static ARMED: OnceLock<Armed> = OnceLock::new();
static DONE: AtomicBool = AtomicBool::new(false);
static GO_ON: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
static PARENT: OnceLock<u32> = OnceLock::new();

/// Has this process do `deed` when it first comes to `spot`.
pub fn arm(
    spot: Spot,
    deed: Deed,
    call_back: impl Fn() + Send + Sync + 'static,
    end: impl Fn() + Send + Sync + 'static,
) {
    let _ = PARENT.set(std::process::id());
    let _ = ARMED.set(Armed { spot, deed, call_back: Box::new(call_back), end: Box::new(end) });
}

/// Ends the wait of [`Deed::Block`].
pub fn go_on() {
    *GO_ON.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    GO_ON.1.notify_all();
}

/// A forked child that came out of the library ends here.
pub fn leave_if_child() {
    if PARENT.get().is_some_and(|parent| *parent != std::process::id()) {
        // SAFETY: ends this process and touches nothing.
        unsafe { nix::libc::_exit(0) };
    }
}

/// Does the deed, if this is the spot.
pub fn here(spot: Spot) {
    let Some(armed) = ARMED.get().filter(|armed| armed.spot == spot) else { return };
    if !DONE.swap(true, Ordering::SeqCst) {
        perform(armed);
    }
}

struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        panic!("the payload's own panic");
    }
}

fn perform(armed: &Armed) {
    println!("doing");
    match armed.deed {
        Deed::Panic => panic!("the deed"),
        Deed::PanicTwice => panic_any(Twice),
        Deed::Block => {
            let mut may = GO_ON.0.lock().unwrap_or_else(PoisonError::into_inner);
            while !*may {
                may = GO_ON.1.wait(may).unwrap_or_else(PoisonError::into_inner);
            }
        }
        Deed::CallBack => (armed.call_back)(),
        Deed::End => (armed.end)(),
        Deed::Fork => fork_here(),
        Deed::Exit => std::process::exit(7),
    }
}

fn fork_here() {
    // SAFETY: what the child does with the library is what is tested; besides that it only ends.
    let Ok(ForkResult::Parent { child }) = (unsafe { fork() }) else { return };
    let begun = Instant::now();
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(WaitStatus::Exited(_, 0)) => return println!("child ended"),
            other => {
                let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
                return println!("child: {other:?}");
            }
        }
    }
}

/// A value with spots of its own.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Trap;

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        here(Spot::Encode);
        7_u32.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _ = u32::deserialize(deserializer)?;
        here(Spot::Decode);
        Ok(Self)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        here(Spot::DropValue);
    }
}

/// Stands in a handler or a closure.
#[derive(Debug, Default)]
pub struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        println!("handler dropped");
        here(Spot::DropHandler);
    }
}

/// What a client may say.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = News)]
pub enum Work {
    Note,
    Leave {
        trap: Trap,
    },
    #[shm(reply = u32)]
    Ask,
    #[shm(reply = u32)]
    Take {
        trap: Trap,
    },
    #[shm(reply = Trap)]
    Give,
    /// Sends the caller an event with a trap.
    #[shm(reply = ())]
    Event,
    /// How many links there are, and how those that were ended.
    #[shm(reply = (u32, Vec<String>))]
    Links,
}

/// What the server may say.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum News {
    Say,
    Leave {
        trap: Trap,
    },
    #[shm(reply = u32)]
    Ask,
    #[shm(reply = Trap)]
    Give,
}

/// Handles both.
#[derive(Debug, Default)]
pub struct Worker {
    _held: Held,
    departures: Vec<String>,
}

impl WorkHandler for Worker {
    fn note(&mut self, _cx: &Context<Work>) {
        here(Spot::Run);
    }
    fn leave(&mut self, _cx: &Context<Work>, trap: Trap) {
        drop(trap);
    }
    fn ask(&mut self, _cx: &Context<Work>) -> u32 {
        here(Spot::Run);
        std::process::id()
    }
    fn take(&mut self, _cx: &Context<Work>, trap: Trap) -> u32 {
        drop(trap);
        std::process::id()
    }
    fn give(&mut self, _cx: &Context<Work>) -> Trap {
        Trap
    }
    fn event(&mut self, cx: &Context<Work>) {
        let sent = cx.peer().send(&News::Leave { trap: Trap });
        println!("sent: {}", sent.is_ok());
    }
    fn links(&mut self, cx: &Context<Work>) -> (u32, Vec<String>) {
        (cx.server().peers().len() as u32, self.departures.clone())
    }
    fn peer_arrived(&mut self, _cx: &Context<Work>) {
        here(Spot::Arrive);
    }
    fn peer_departed(&mut self, _cx: &Context<Work>, departure: &Departure) {
        self.departures.push(departure.to_string());
        here(Spot::Depart);
    }
}

/// Handles events.
#[derive(Debug, Default)]
pub struct Reader {
    _held: Held,
}

impl NewsHandler for Reader {
    fn say(&mut self, _cx: &Context<News>) {
        here(Spot::Run);
    }
    fn leave(&mut self, _cx: &Context<News>, trap: Trap) {
        drop(trap);
    }
    fn ask(&mut self, _cx: &Context<News>) -> u32 {
        here(Spot::Run);
        std::process::id()
    }
    fn give(&mut self, _cx: &Context<News>) -> Trap {
        Trap
    }
    fn peer_arrived(&mut self, _cx: &Context<News>) {
        here(Spot::Arrive);
    }
    fn peer_departed(&mut self, _cx: &Context<News>, departure: &Departure) {
        println!("departed: {departure}");
        here(Spot::Depart);
    }
    fn messages_missed(&mut self, _cx: &Context<News>, _count: u64) {
        here(Spot::Missed);
    }
}
