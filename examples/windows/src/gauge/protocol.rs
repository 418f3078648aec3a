//! What the source and its windows say to each other.

use serde::{Deserialize, Serialize};
use shmipc::ShmMessage;

/// What a window may ask.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = Reading)]
pub enum Gauge {
    /// What is measured here?
    #[shm(reply = Machine)]
    Describe,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors.
    pub processors: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Samples in a second.
    pub rate: u32,
}

/// What the source tells its windows.
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
pub enum Reading {
    /// It measured.
    Taken {
        /// What it found.
        sample: Sample,
    },
}

/// What the kernel counted until one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Counted from 0 by the source.
    pub number: u64,
    /// When: nanoseconds of `CLOCK_MONOTONIC`, which is the same in all processes of a machine.
    pub taken: u64,
    /// Hundredths of a second that processors were busy, all together.
    pub busy: u64,
    /// Bytes of memory in use.
    pub memory: u64,
    /// Bytes received by all network devices, the loopback too.
    pub received: u64,
    /// Bytes sent by them.
    pub sent: u64,
    /// Times that a processor went from one thread to another.
    pub switches: u64,
}
