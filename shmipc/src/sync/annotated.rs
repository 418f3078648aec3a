//! `std`'s locks, which tell the thread sanitizer what they order: the standard library that comes
//! with a compiler is not built for it, so it sees neither a contended lock nor a condition variable.

use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::sync::{self, LockResult, PoisonError, WaitTimeoutResult};
use std::time::Duration;

unsafe extern "C" {
    safe fn __tsan_acquire(address: *const c_void);
    safe fn __tsan_release(address: *const c_void);
}

fn mapped<T, U>(result: LockResult<T>, map: impl FnOnce(T) -> U) -> LockResult<U> {
    match result {
        Ok(value) => Ok(map(value)),
        Err(poisoned) => Err(PoisonError::new(map(poisoned.into_inner()))),
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    /// `None` while a condition variable has it.
    guard: Option<sync::MutexGuard<'a, T>>,
    address: *const c_void,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let address = std::ptr::from_ref(self).cast();
        mapped(self.0.lock(), |guard| MutexGuard::new(guard, address))
    }

    pub(crate) fn get_mut(&mut self) -> LockResult<&mut T> {
        __tsan_acquire(std::ptr::from_ref(self).cast());
        self.0.get_mut()
    }
}

impl<'a, T> MutexGuard<'a, T> {
    fn new(guard: sync::MutexGuard<'a, T>, address: *const c_void) -> Self {
        __tsan_acquire(address);
        Self { guard: Some(guard), address }
    }

    fn take(&mut self) -> sync::MutexGuard<'a, T> {
        __tsan_release(self.address);
        self.guard.take().expect("only a condition variable takes it")
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_deref().expect("only a condition variable takes it")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_deref_mut().expect("only a condition variable takes it")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.guard.is_some() {
            drop(self.take());
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let address = guard.address;
        mapped(self.0.wait(guard.take()), |guard| MutexGuard::new(guard, address))
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let address = guard.address;
        let waited = self.0.wait_timeout(guard.take(), timeout);
        mapped(waited, |(guard, result)| (MutexGuard::new(guard, address), result))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[derive(Debug)]
pub(crate) struct OnceLock<T>(sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(sync::OnceLock::new())
    }

    fn address(&self) -> *const c_void {
        std::ptr::from_ref(self).cast()
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let value = self.0.get()?;
        __tsan_acquire(self.address());
        Some(value)
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let value = self.0.get_or_init(|| {
            let value = make();
            __tsan_release(self.address());
            value
        });
        __tsan_acquire(self.address());
        value
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        __tsan_release(self.address());
        self.0.set(value)
    }
}
