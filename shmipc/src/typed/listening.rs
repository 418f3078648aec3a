//! A listener's thread as its endpoint has it: that it shall end, and how it ended.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{AtomicBool, Condvar, Mutex, Ordering};

/// Why a listener ended that was not asked to, or what it could not leave in order.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Panicked(String),
    /// The server's name leads to another server's registry.
    NameLost {
        pid: u32,
    },
    /// The name could not be given free: the system's error code.
    NameLeft {
        code: i32,
    },
}

/// What a listener and its endpoint have in common.
pub(crate) struct Listening {
    stop: AtomicBool,
    ended: Mutex<Option<Result<(), End>>>,
    ending: Condvar,
}

impl Listening {
    pub(crate) fn new() -> Self {
        Self { stop: AtomicBool::new(false), ended: Mutex::new(None), ending: Condvar::new() }
    }

    /// Has the listener end; whoever calls it wakes it.
    pub(crate) fn stop(&self) {
        // SYNC(stop): what the stopping thread did before it.
        self.stop.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        // SYNC(stop)
        self.stop.load(Ordering::Acquire)
    }

    /// Once, by the listener, as the last thing that it does.
    pub(crate) fn set_ended(&self, how: Result<(), End>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
        self.ending.notify_all();
    }

    /// How it ended; `None`: not within so much time. Without a time it is waited for without end.
    pub(crate) fn wait_ended(&self, patience: Option<Duration>) -> Option<Result<(), End>> {
        let started = Instant::now();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(how) = ended.as_ref() {
                return Some(how.clone());
            }
            ended = match patience {
                None => self.ending.wait(ended).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let left = patience.checked_sub(started.elapsed())?;
                    let waited = self.ending.wait_timeout(ended, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
