//! A listener's life, the same on both sides: it works, lets go of its links, and its handler is
//! dropped.

use crate::panics::caught;
use crate::typed::listening::End;

/// Runs a listener's thread, and tells how it ended. Handlers' panics are contained one by one;
/// what is caught here is the rest. `None`: this is a forked child that came out of a handler.
/// Nothing here is its own: it closes nothing and drops nothing.
///
/// `close` gets what `work` gave: nothing where that panicked. The handler is gone when this
/// returns.
pub(super) fn live<L, T>(
    mut listener: L,
    is_inherited: impl Fn(&L) -> bool,
    work: impl FnOnce(&mut L) -> T,
    close: impl FnOnce(&mut L, Option<T>),
) -> Option<Result<(), End>> {
    let (gave, worked) = match caught(|| work(&mut listener)) {
        Ok(gave) => (Some(gave), Ok(())),
        Err(text) => (None, Err(text)),
    };
    let closed = caught(|| {
        if !is_inherited(&listener) {
            close(&mut listener, gave);
        }
    });
    if is_inherited(&listener) {
        std::mem::forget(listener);
        return None;
    }
    let dropped = caught(|| drop(listener));
    Some(worked.and(closed).and(dropped).map_err(End::Panicked))
}
