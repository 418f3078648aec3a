//! A segment in a model: private memory, and a table instead of the kernel's locks.

use std::any::Any;
use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use super::error::SegmentError;
use super::mapping::Candidate;
use crate::os::FileFacts;
use crate::os::liveness::Locks;
use crate::ring::foreign::Place;

const FACTS: FileFacts = FileFacts {
    identity: (0, 0),
    uid: 0,
    gid: 0,
    links: 1,
    length: 0,
    reserved: 0,
    mode: 0o600,
    is_file: true,
    modified: std::time::UNIX_EPOCH,
};

/// Stands for a segment mapped into two processes.
pub(crate) struct Mapping {
    table: Table,
    /// Both sides' memory.
    pub(super) memory: Arc<dyn Any + Send + Sync>,
}

/// The locks that are held, each by whoever took it. The kernel's own order of them is no subject
/// of a model, so the checker does not see it.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<Vec<i64>>>);

impl Locks for Table {
    fn try_lock(&self, byte: i64) -> io::Result<bool> {
        let mut held = self.0.lock().expect("no panic under the lock");
        let is_free = !held.contains(&byte);
        if is_free {
            held.push(byte);
        }
        Ok(is_free)
    }

    fn unlock(&self, byte: i64) -> io::Result<()> {
        self.0.lock().expect("no panic under the lock").retain(|held| *held != byte);
        Ok(())
    }

    fn sign(&self, _: i64) -> io::Result<()> {
        Ok(())
    }

    /// Both sides are one process.
    fn signer(&self, _: i64) -> Option<u32> {
        None
    }

    /// In models both processes live.
    fn is_locked(&self, _: i64) -> io::Result<bool> {
        Ok(true)
    }
}

#[allow(clippy::unused_self, reason = "the face of the real one")]
impl Mapping {
    /// Two processes' views of one segment.
    pub(super) fn in_memory(memory: Arc<dyn Any + Send + Sync>) -> [Arc<Self>; 2] {
        let table = Table::default();
        [(); 2].map(|()| Arc::new(Self { table: table.clone(), memory: memory.clone() }))
    }

    pub(crate) fn create(_: &str, _: usize, _: i64) -> Result<Self, SegmentError> {
        Err(SegmentError::Missing)
    }

    pub(crate) fn open(
        _: &str,
        _: usize,
        _: impl Fn(&Candidate<'_>) -> Result<(), SegmentError>,
    ) -> Result<Self, SegmentError> {
        Err(SegmentError::Missing)
    }

    pub(crate) fn admit(&self, _: &[u32], _: Option<u32>) -> Result<(), SegmentError> {
        Ok(())
    }

    pub(crate) fn set_group(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn reserve_first(&self, _: usize) -> Result<(), SegmentError> {
        Ok(())
    }

    pub(crate) fn file(&self) -> &Table {
        &self.table
    }

    pub(crate) fn length(&self) -> usize {
        0
    }

    /// Models do not fork.
    pub(crate) fn is_inherited(&self) -> bool {
        false
    }

    pub(crate) fn facts(&self) -> &FileFacts {
        &FACTS
    }

    pub(crate) fn is_named(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn unlink(&self) {}

    pub(crate) fn try_unlink(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn place<T>(&self, _: usize) -> Option<NonNull<T>> {
        None
    }

    pub(crate) fn bytes(&self, _: usize, _: usize) -> Option<Place> {
        None
    }
}
