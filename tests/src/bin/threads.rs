//! A program that starts the library in some role before it decides about its signals:
//! `threads ROLE NAME [pinned] [fifo]`. Then it blocks SIGTERM, says "waiting", and waits for it by
//! `sigwait`, as many programs do that want to end in good order.

use std::error::Error;
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use shmipc::{Client, Server};
use shmipc_tests::handler::Prober;
use shmipc_tests::protocol::{Probe, ProbeClient, ProbeEvent};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
/// What keeps the role alive.
type Role = Box<dyn std::any::Any + Send>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, name, manners @ ..] = arguments.as_slice() else {
        return Err("which role, and which name?".into());
    };
    // A thread that gives the threads it starts something to take over, and ends. Joined, not only
    // waited for as a scope does: until it has gone it blocks no signal.
    let begun = thread::scope(|scope| {
        let starter = scope.spawn(|| {
            manners.iter().try_for_each(|manner| behave(manner))?;
            start(role, name)
        });
        starter.join()
    });
    let _role = begun.map_err(|_| "the starter panicked")??;
    let mut end = SigSet::empty();
    end.add(Signal::SIGTERM);
    end.thread_block()?;
    println!("waiting");
    println!("{}", end.wait()?);
    Ok(())
}

fn behave(manner: &str) -> Outcome {
    let result = match manner {
        "pinned" => {
            // SAFETY: plain bits, for which zero is a value.
            let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: takes nothing.
            let here = usize::try_from(unsafe { libc::sched_getcpu() })?;
            // SAFETY: a processor that there is.
            unsafe { libc::CPU_SET(here, &mut one) };
            // SAFETY: a set of that length.
            unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) }
        }
        "fifo" => {
            let first = libc::sched_param { sched_priority: 1 };
            // SAFETY: this thread, and valid parameters.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const first) }
        }
        other => return Err(format!("what is {other:?}?").into()),
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

fn start(role: &str, name: &str) -> Outcome<Role> {
    Ok(match role {
        "server" => Box::new(Server::<Probe>::bind(name)?.serve(Prober::default())?),
        "client" => Box::new(Client::<Probe>::connect(name)?),
        "events" => {
            Box::new(Client::<Probe>::builder(name).on_event(|_event: ProbeEvent| {}).connect()?)
        }
        "late" => {
            let client = Client::<Probe>::connect(name)?;
            // Somebody must take the answer when it comes.
            let hasty = client.with_deadline(Duration::from_millis(1));
            if hasty.slow(60_000, 0).is_ok() {
                return Err("a minute within a millisecond".into());
            }
            Box::new(client)
        }
        other => return Err(format!("what is {other:?}?").into()),
    })
}
