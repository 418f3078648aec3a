//! Who is there, and what is on its way to each. Everybody is told at their own pace, by a thread
//! of their own; who speaks faster than the others read is made to wait. Somebody who reads nothing
//! at all for a while, a stopped program or a terminal on hold, keeps nobody waiting: what is too
//! much for its queue is left out, counted, and told when it reads again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use shmipc::{CallError, Peer};

use super::name;
use super::protocol::{ChatEvent, JoinError, SayError};

/// Lines that may be on their way to one reader before speakers wait.
const MOST_LINES: u64 = 4096;
/// And so many bytes of them.
const MOST_BYTES: usize = 16 << 20;
/// So many comings and goings may wait besides.
const MOST_COMINGS: u64 = 1_000;
/// After so long over one event a reader keeps nobody waiting any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an event may be on its way: for as long as the reader lives.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// Everybody who joined, by link. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hall {
    own_name: String,
    readers: Arc<Mutex<BTreeMap<u64, Reader>>>,
}

#[derive(Debug)]
struct Reader {
    name: String,
    queue: Arc<Queue>,
}

impl Hall {
    /// A hall with nobody but the server in it, whose name this is.
    #[must_use]
    pub fn new(own_name: String) -> Self {
        Self { own_name, readers: Arc::default() }
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<u64, Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of who joined through this link.
    #[must_use]
    pub fn name_of(&self, id: u64) -> Option<String> {
        self.readers().get(&id).map(|reader| reader.name.clone())
    }

    /// Somebody joins: tells the others, and gives their names.
    ///
    /// # Errors
    /// The name is none, or taken, or the link has one.
    pub fn join(&self, peer: &Peer<ChatEvent>, name: &str) -> Result<Vec<String>, JoinError> {
        let name = name::checked(name)?;
        let mut readers = self.readers();
        if let Some(before) = readers.get(&peer.id()) {
            return Err(JoinError::JoinedBefore(before.name.clone()));
        }
        let mut present = vec![self.own_name.clone()];
        present.extend(readers.values().map(|reader| reader.name.clone()));
        if present.iter().any(|taken| name::look_alike(taken, &name)) {
            return Err(JoinError::NameTaken { name });
        }
        for reader in readers.values() {
            reader.queue.push(ChatEvent::Joined { name: name.clone() });
        }
        let queue = Arc::new(Queue::default());
        queue.clone().deliver_to(peer.with_deadline(FOR_EVER));
        readers.insert(peer.id(), Reader { name, queue });
        Ok(present)
    }

    /// Somebody is gone: tells the others. Gives the name, if it had one.
    pub fn leave(&self, id: u64, suddenly: bool) -> Option<String> {
        let mut readers = self.readers();
        let Reader { name, queue } = readers.remove(&id)?;
        queue.close();
        for reader in readers.values() {
            reader.queue.push(ChatEvent::Left { name: name.clone(), suddenly });
        }
        Some(name)
    }

    /// Tells everybody but `except` what somebody said.
    ///
    /// # Errors
    /// Others still read what was said before; nobody was told.
    pub fn say(&self, except: Option<u64>, from: &str, lines: &[String]) -> Result<(), SayError> {
        let readers = self.readers();
        let others = || readers.iter().filter(|(id, _)| Some(**id) != except);
        if others().any(|(_, reader)| reader.queue.keeps_waiting()) {
            return Err(SayError::Busy);
        }
        for (_, reader) in others() {
            reader.queue.push(ChatEvent::Said { from: from.into(), lines: lines.to_vec() });
        }
        Ok(())
    }

    /// Waits until everybody who reads has been told everything.
    pub fn settle(&self) {
        let queues: Vec<_> = self.readers().values().map(|reader| reader.queue.clone()).collect();
        queues.iter().for_each(|queue| queue.settle());
    }
}

/// What is on its way to one reader.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<ChatEvent>,
    /// Lines in `events`.
    lines: u64,
    /// Bytes of these lines.
    bytes: usize,
    /// Lines behind `events` that were left out.
    missed: u64,
    /// Since when the reader has had the event that was in front.
    delivering: Option<Instant>,
    closed: bool,
}

fn lines_of(event: &ChatEvent) -> u64 {
    if let ChatEvent::Said { lines, .. } = event { lines.len() as u64 } else { 1 }
}

fn bytes_of(event: &ChatEvent) -> usize {
    if let ChatEvent::Said { lines, .. } = event { lines.iter().map(String::len).sum() } else { 0 }
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.lines >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    /// Who says something waits for room (`keeps_waiting`), who comes or goes does not.
    fn has_room_for(&self, event: &ChatEvent) -> bool {
        match event {
            ChatEvent::Said { .. } => !self.is_full(),
            _ => self.lines < MOST_LINES + MOST_COMINGS,
        }
    }

    fn is_stuck(&self) -> bool {
        self.delivering.is_some_and(|since| since.elapsed() > PATIENCE)
    }

    fn push(&mut self, event: ChatEvent) {
        self.lines += lines_of(&event);
        self.bytes += bytes_of(&event);
        self.events.push_back(event);
    }

    fn next(&mut self) -> Option<ChatEvent> {
        let event = match self.events.pop_front() {
            Some(event) => event,
            None if self.missed > 0 => {
                ChatEvent::Missed { lines: std::mem::take(&mut self.missed) }
            }
            None => return None,
        };
        self.lines = self.lines.saturating_sub(lines_of(&event));
        self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        self.delivering = Some(Instant::now());
        Some(event)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is there no room, and a reader who reads?
    fn keeps_waiting(&self) -> bool {
        let waiting = self.lock();
        waiting.is_full() && !waiting.is_stuck() && !waiting.closed
    }

    fn push(&self, event: ChatEvent) {
        let mut waiting = self.lock();
        if !waiting.has_room_for(&event) {
            waiting.missed += lines_of(&event);
            return;
        }
        if waiting.missed > 0 {
            let lines = std::mem::take(&mut waiting.missed);
            waiting.push(ChatEvent::Missed { lines });
        }
        waiting.push(event);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Starts the thread that tells the reader.
    fn deliver_to(self: Arc<Self>, peer: Peer<ChatEvent>) {
        let queue = self.clone();
        let deliver = move || {
            while let Some(event) = queue.wait_for_next() {
                // What its handler makes of it is the reader's business.
                if let Err(CallError::PeerGone { .. } | CallError::NotSent(_)) = peer.call(&event) {
                    break;
                }
            }
            queue.close();
        };
        if thread::Builder::new().name("teller".into()).spawn(deliver).is_err() {
            self.close();
        }
    }

    fn wait_for_next(&self) -> Option<ChatEvent> {
        let mut waiting = self.lock();
        waiting.delivering = None;
        self.changed.notify_all();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(event) = waiting.next() {
                return Some(event);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until nothing is on its way, or the reader reads nothing.
    fn settle(&self) {
        const LOOK: Duration = Duration::from_millis(50);
        let mut waiting = self.lock();
        while !waiting.closed && !waiting.is_stuck() {
            if waiting.events.is_empty() && waiting.missed == 0 && waiting.delivering.is_none() {
                return;
            }
            let waited = self.changed.wait_timeout(waiting, LOOK);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That somebody left was missed where the last line just filled the queue.
    #[test]
    fn a_full_queue_still_takes_who_leaves() {
        let queue = Queue::default();
        let lines = vec!["line".to_owned(); MOST_LINES as usize];
        queue.push(ChatEvent::Said { from: "ann".into(), lines });
        assert!(queue.keeps_waiting());
        queue.push(ChatEvent::Left { name: "ann".into(), suddenly: false });
        // Lines are still left out, at their place.
        queue.push(ChatEvent::Said { from: "bob".into(), lines: vec!["more".into()] });
        let mut waiting = queue.lock();
        assert!(matches!(waiting.next(), Some(ChatEvent::Said { .. })));
        assert!(matches!(waiting.next(), Some(ChatEvent::Left { .. })));
        assert!(matches!(waiting.next(), Some(ChatEvent::Missed { lines: 1 })));
        assert!(waiting.next().is_none());
    }

    /// Few lines can be much text.
    #[test]
    fn a_queue_is_full_by_bytes_too() {
        let queue = Queue::default();
        let long = ChatEvent::Said { from: "ann".into(), lines: vec!["x".repeat(MOST_BYTES / 2)] };
        queue.push(long.clone());
        assert!(!queue.keeps_waiting());
        queue.push(long);
        assert!(queue.keeps_waiting());
        assert!(queue.lock().next().is_some());
        assert!(!queue.keeps_waiting());
    }
}
