//! All that this crate asks of the operating system, and all that differs between systems. What
//! stands above names no system: another one comes in as a sibling of these files, with the same
//! faces.
//!
//! | face | what it promises |
//! |---|---|
//! | [`mod@file`] | shared files by name: opened without waiting, identified, reserved so that touching them cannot fail |
//! | [`pages`], [`memory`] | a file's bytes as memory, of the very file that was checked |
//! | [`lock`], [`liveness`] | a lock that ends with its holder, however that ends |
//! | [`futex`] | a word to sleep on, and to be woken by |
//! | [`ending`], [`watch`] | the end of another process, told at once |
//! | [`generation`], [`fork`], [`descriptor`] | a forked child is told from its parent, and keeps nothing of it |
//! | [`thread`], [`scheduling`] | the library's own threads, which take over nothing by chance |
//! | [`wait`] | deadlines, bounded spins, and how long a sleep may last |
//! | [`machine`] | processors, users, random bits, the clock's form |

pub(crate) mod descriptor;
pub(crate) mod ending;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod generation;
pub(crate) mod liveness;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod pages;
mod scheduling;
#[cfg(test)]
mod tests;
pub(crate) mod thread;
pub(crate) mod wait;
pub(crate) mod watch;

pub(crate) use descriptor::spare_descriptor;
pub(crate) use ending::{is_ending, open_pidfd};
pub(crate) use file::{
    FileFacts, access_list, file_facts, free_room, has_shared_memory, named_facts, open_shm,
    read_at, reserve, set_access_list, set_group, shm_directory, unlink_shm,
};
pub(crate) use futex::{Woken, futex_wait, futex_wait_both, futex_wake, futex_wake_own};
pub(crate) use lock::{is_byte_locked, try_lock_byte};
pub(crate) use machine::{current_cpu, effective_gid, effective_uid, random_u128, timespec};
