//! Servers in child processes, under names that were made for one run.

use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use shmipc::{Client, ClientBuilder, ConnectError, Running, Server, ShmMessage};

use crate::ChildGuard;

/// How long a server's process may take to start.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// One try to connect; between two the server's process is looked at.
const CONNECT_STEP: Duration = Duration::from_millis(200);

/// Connects to the server that `child` is about to be. `builder` gives the options of each try.
///
/// # Errors
/// The process ended instead, or the server does not take this client on.
pub fn connect_to_child<P: ShmMessage>(
    child: &mut ChildGuard,
    mut builder: impl FnMut() -> ClientBuilder<P>,
) -> Result<Client<P>> {
    let started = Instant::now();
    loop {
        match builder().connect_deadline(CONNECT_STEP).connect() {
            Ok(client) => return Ok(client),
            Err(ConnectError::NoServer { .. } | ConnectError::NotAnswering { .. })
                if started.elapsed() < START_PATIENCE =>
            {
                if child.has_succeeded()? {
                    bail!("{} ended before anything began", child.name());
                }
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot connect to {}", child.name()));
            }
        }
    }
}

/// Stops the server if nobody is linked after `patience`: where its parent was killed before it
/// could connect there is no link whose end would tell.
///
/// # Errors
/// The thread that waits cannot be started.
pub fn stop_if_alone<P: ShmMessage>(running: &Running<P>, patience: Duration) -> Result<()> {
    let server = running.handle();
    let wait = move || {
        thread::sleep(patience);
        if server.peers().is_empty() {
            server.stop();
        }
    };
    let spawned = thread::Builder::new().name("alone".into()).spawn(wait);
    spawned.context("cannot start the thread that looks for a parent")?;
    Ok(())
}

/// Clears a name away when dropped, unless it is served then.
///
/// Whoever binds a name again takes over what a killed server left there. Under a name that was
/// made for a single run nobody ever does, so the run itself does it.
#[derive(Debug)]
#[must_use = "the name is cleared when this is dropped"]
pub struct Remains<P: ShmMessage> {
    name: String,
    protocol: PhantomData<fn(P)>,
}

impl<P: ShmMessage> Remains<P> {
    /// Of the server named `name`. Make it before the server's process is started, so that it is
    /// dropped after that has ended.
    pub fn of(name: &str) -> Self {
        Self { name: name.into(), protocol: PhantomData }
    }
}

impl<P: ShmMessage> Drop for Remains<P> {
    fn drop(&mut self) {
        // An error means that somebody serves the name, or that there is nothing to be done.
        drop(Server::<P>::bind(&self.name));
    }
}
