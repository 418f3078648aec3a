//! `std`'s locks, which tell the thread sanitizer what they order: the standard library that comes
//! with a compiler is not built for it, so it sees neither a contended lock nor a condition
//! variable.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{self, LockResult, PoisonError, TryLockError, WaitTimeoutResult};
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

    pub(crate) fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        let address = std::ptr::from_ref(self).cast();
        match self.0.try_lock() {
            Ok(guard) => Ok(MutexGuard::new(guard, address)),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(error)) => {
                let guard = MutexGuard::new(error.into_inner(), address);
                Err(TryLockError::Poisoned(PoisonError::new(guard)))
            }
        }
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

/// Made of what the sanitizer sees: `std`'s tells nobody when its value is written.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: AtomicPtr<T>,
    making: Mutex<()>,
    owns: PhantomData<T>,
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        let value = AtomicPtr::new(std::ptr::null_mut());
        Self { value, making: Mutex::new(()), owns: PhantomData }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: null, or what `get_or_init` leaked, which lives until the drop and never changes.
        unsafe { self.value.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.get() {
            return value;
        }
        let value: &T = Box::leak(Box::new(make()));
        self.value.store(std::ptr::from_ref(value).cast_mut(), Ordering::Release);
        value
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("made once"));
        value.map_or(Ok(()), Err)
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        let value = *self.value.get_mut();
        if !value.is_null() {
            // SAFETY: leaked by `get_or_init`, and nobody has it any more.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}
