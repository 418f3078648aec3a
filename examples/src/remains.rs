//! What a killed server leaves under a name that nobody will serve again.

use std::marker::PhantomData;

use shmipc::{Server, ShmMessage};

/// Clears a name away when dropped, unless it is served then.
///
/// Whoever binds a name again takes over what a killed server left there. Under a name that was made
/// for a single run nobody ever does, so the run itself does it.
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
        Self {
            name: name.into(),
            protocol: PhantomData,
        }
    }
}

impl<P: ShmMessage> Drop for Remains<P> {
    fn drop(&mut self) {
        // An error means that somebody serves the name, or that there is nothing to be done.
        drop(Server::<P>::bind(&self.name));
    }
}
