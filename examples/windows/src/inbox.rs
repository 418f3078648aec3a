//! The way from the library's threads into the window: a queue that wakes it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Wakes the window; may be called from any thread, and does not wait.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The threads' end. Cheap to clone.
pub struct Teller<N> {
    shared: Arc<Shared<N>>,
}

/// The window's end. When it is dropped nobody waits at the other one any more.
#[derive(Debug)]
pub struct Inbox<N> {
    shared: Arc<Shared<N>>,
}

struct Shared<N> {
    waiting: Mutex<Waiting<N>>,
    taken: Condvar,
    most: usize,
    wake: Wake,
}

struct Waiting<N> {
    news: Vec<N>,
    weight: usize,
    is_closed: bool,
}

/// An inbox in which news of the weight `most` may wait; who tells more waits for the window. So a
/// window that shows nothing holds up the threads behind it and not the machine's memory.
pub fn inbox<N>(most: usize, wake: Wake) -> (Teller<N>, Inbox<N>) {
    let waiting = Waiting { news: Vec::new(), weight: 0, is_closed: false };
    let shared =
        Arc::new(Shared { waiting: Mutex::new(waiting), taken: Condvar::new(), most, wake });
    (Teller { shared: shared.clone() }, Inbox { shared })
}

impl<N> Shared<N> {
    fn lock(&self) -> MutexGuard<'_, Waiting<N>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N> Teller<N> {
    /// Tells the window something of a weight. Waits while too much waits already.
    pub fn tell(&self, news: N, weight: usize) {
        let mut waiting = self.shared.lock();
        while waiting.weight >= self.shared.most && !waiting.is_closed {
            waiting = self.shared.taken.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_closed {
            return;
        }
        waiting.weight += weight;
        waiting.news.push(news);
        let is_first = waiting.news.len() == 1;
        drop(waiting);
        // What came before has woken it, and is not taken yet.
        if is_first {
            (self.shared.wake)();
        }
    }

    /// Does nobody listen any more?
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.shared.lock().is_closed
    }
}

impl<N> Clone for Teller<N> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<N> Inbox<N> {
    /// What was told since the last time, in order.
    #[must_use]
    pub fn take(&self) -> Vec<N> {
        let mut waiting = self.shared.lock();
        waiting.weight = 0;
        self.shared.taken.notify_all();
        std::mem::take(&mut waiting.news)
    }
}

impl<N> Drop for Inbox<N> {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.taken.notify_all();
    }
}

impl<N> fmt::Debug for Teller<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

impl<N> fmt::Debug for Shared<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn counting() -> (Arc<AtomicUsize>, Wake) {
        let count = Arc::<AtomicUsize>::default();
        let counted = count.clone();
        let wake = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (count, Arc::new(wake))
    }

    #[test]
    fn the_window_is_woken_once_for_what_it_takes_at_once() {
        let (woken, wake) = counting();
        let (teller, inbox) = inbox(100, wake);
        for number in 0..3 {
            teller.tell(number, 1);
        }
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(inbox.take(), [0, 1, 2]);
        teller.tell(3, 1);
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        assert_eq!(inbox.take(), [3]);
    }

    #[test]
    fn who_tells_too_much_waits_for_the_window_or_its_end() {
        let (teller, inbox) = inbox(2, counting().1);
        let teller_of_thread = teller.clone();
        let telling = thread::spawn(move || {
            for number in 0..1000 {
                teller_of_thread.tell(number, 1);
            }
        });
        let mut seen = Vec::new();
        while seen.len() < 500 {
            let news = inbox.take();
            assert!(news.len() <= 2);
            seen.extend(news);
            thread::yield_now();
        }
        assert!(seen.iter().copied().eq(0..seen.len() as i32));
        drop(inbox);
        telling.join().expect("it ends with the inbox");
        assert!(teller.is_over());
    }
}
