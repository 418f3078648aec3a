//! How errors read: `Debug` as `Display` does, and durations as people say them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// `Debug` is what `fn main() -> Result<…>`, `unwrap` and `expect` print, so for errors it is the
/// sentence, with its causes. Who wants the parts has the fields.
macro_rules! debug_is_the_sentence {
    ($($error:ty),* $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::error::shown::chain(self))
            }
        }
    )*};
}
pub(crate) use debug_is_the_sentence;

/// An error and its causes in one line, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// A duration to two digits, which is what matters to people: `5 s`, `1.2 s`, `250 ms`.
pub(super) struct Shown(pub(super) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns")];
        // Rounded up to a whole unit it is told as one: 999.9 ms as 1 s.
        let fits = |unit: u128| (nanos + unit / 20) / unit >= 1;
        let (unit, name) = units.into_iter().find(|(unit, _)| fits(*unit)).unwrap_or((1, "ns"));
        let tenths = (nanos * 10 + unit / 2) / unit;
        match (tenths / 10, tenths % 10) {
            (whole, 1..) if whole < 10 => write!(f, "{whole}.{} {name}", tenths % 10),
            _ => write!(f, "{} {name}", (nanos + unit / 2) / unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_to_two_digits() {
        for (nanos, text) in [
            (5_000_136_472, "5 s"),
            (1_000_157_293, "1 s"),
            (999_960_000, "1 s"),
            (1_249_000_000, "1.2 s"),
            (9_960_000_000, "10 s"),
            (12_600_000_000, "13 s"),
            (3_600_000_000_000, "3600 s"),
            (250_400_000, "250 ms"),
            (10_049_000, "10 ms"),
            (1_500_000, "1.5 ms"),
            (20_000, "20 µs"),
            (1, "1 ns"),
            (0, "0 ns"),
        ] {
            assert_eq!(Shown(Duration::from_nanos(nanos)).to_string(), text, "{nanos}");
        }
        assert_eq!(Shown(Duration::MAX).to_string(), "18446744073709551616 s");
    }
}
