//! What both builders offer, with its bounds and defaults.

use std::time::Duration;

use crate::error::ConfigError;
use crate::os::wait;
use crate::ring::frame::HEADER_LENGTH;
use crate::ring::{MAXIMUM_CAPACITY, MINIMUM_CAPACITY};

/// Ring size where the user chose none. Small messages are as fast in rings of 16 KiB as in rings
/// of 8 MiB, and making a link takes as long as reserving its memory, so it is the smallest in
/// which a message of a few pages passes whole (half a ring does); four rings make a quarter of a
/// mebibyte.
pub(crate) const DEFAULT_RING_SIZE: usize = 64 << 10;
/// Largest message where the user chose none: 64 MiB of payload, and room for what stands around it
/// (variant, lengths, small fields).
pub(crate) const DEFAULT_MAX_MESSAGE: usize = (64 << 20) + (4 << 10);
/// Largest message that can be chosen: lengths are 32-bit, and the codec's limits end at 2 GiB.
pub(crate) const MAXIMUM_MAX_MESSAGE: usize = 1 << 30;
/// Deadline of calls and sends where the user chose none.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
/// Private queue for each lane of a peer that does not read, where the user chose none.
pub(crate) const DEFAULT_MAX_QUEUED: usize = 4 << 20;

/// Shared memory for each link where the user chose no limit.
pub(crate) const DEFAULT_MAX_LINK_MEMORY: usize = 64 << 20;

pub(crate) fn check_ring_size(size: usize) -> Result<(), ConfigError> {
    let (minimum, maximum) = (MINIMUM_CAPACITY, MAXIMUM_CAPACITY);
    if size.is_power_of_two() && (minimum..=maximum).contains(&size) {
        Ok(())
    } else {
        Err(ConfigError::RingSize { size, minimum, maximum })
    }
}

pub(crate) fn check_max_message(size: usize) -> Result<(), ConfigError> {
    let (minimum, maximum) = (HEADER_LENGTH, MAXIMUM_MAX_MESSAGE);
    if (minimum..=maximum).contains(&size) {
        Ok(())
    } else {
        Err(ConfigError::MaximumMessage { size, minimum, maximum })
    }
}

pub(crate) fn check_deadline(what: &'static str, deadline: Duration) -> Result<(), ConfigError> {
    if deadline.is_zero() { Err(ConfigError::ZeroDeadline { what }) } else { Ok(()) }
}

pub(crate) fn check_spin(given: Duration) -> Result<(), ConfigError> {
    let maximum = wait::MAXIMUM_SPIN;
    if given <= maximum { Ok(()) } else { Err(ConfigError::SpinBudget { given, maximum }) }
}

pub(crate) fn check_range(
    what: &'static str,
    value: usize,
    minimum: usize,
    maximum: usize,
) -> Result<(), ConfigError> {
    if (minimum..=maximum).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { what, value, minimum, maximum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_powers_of_two_within_bounds() {
        for size in [0, 1, 2048, 4095, 4097, 100_000, (1 << 30) + 1, usize::MAX] {
            assert!(check_ring_size(size).is_err(), "{size}");
        }
        for size in [4096, 65_536, 1 << 30] {
            assert!(check_ring_size(size).is_ok(), "{size}");
        }
    }

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(check_ring_size(DEFAULT_RING_SIZE), Ok(()));
        assert_eq!(check_max_message(DEFAULT_MAX_MESSAGE), Ok(()));
        assert_eq!(check_deadline("deadline", DEFAULT_DEADLINE), Ok(()));
        assert_eq!(check_spin(wait::default_spin()), Ok(()));
    }
}
