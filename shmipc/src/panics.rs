//! What a panic of the user's code leaves behind, and how it is got rid of.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many payloads are dropped, each of which the one before it panicked with.
const ROUNDS: usize = 8;

/// Runs the user's code. A panic becomes its text; nothing of it goes further.
#[inline]
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(text_of)
}

/// What a panic said. Its payload is gone afterwards.
#[cold]
pub(crate) fn text_of(payload: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    };
    drop_payload(payload);
    text
}

/// Drops a payload, whose `Drop` is the user's code and may panic in turn. A payload that never
/// stops doing so is leaked.
fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..ROUNDS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    struct Again(u32);
    impl Drop for Again {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_payload_that_panics_when_dropped_goes_no_further() {
        for depth in [0, 1, 3, 1_000] {
            let text = caught(|| panic_any(Again(depth))).unwrap_err();
            assert_eq!(text, "a panic without a text");
        }
        assert_eq!(caught(|| -> u8 { panic_any("said".to_owned()) }), Err("said".into()));
        assert_eq!(caught(|| 7), Ok(7));
    }
}
