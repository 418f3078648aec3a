//! Files, their locks and their memory together.

use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::mman;
use nix::sys::stat::Mode;

use super::lock::sign_byte;
use super::memory::{map_shared, unmap};
use super::*;

fn object() -> (String, OwnedFd, OwnedFd) {
    let name = format!("shmipc.test.{:032x}", random_u128().unwrap());
    let made = mman::shm_open(
        name.as_str(),
        OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC,
        Mode::S_IRUSR | Mode::S_IWUSR,
    )
    .unwrap();
    let again = open_shm(&name).unwrap();
    (name, made, again)
}

#[test]
fn a_byte_locked_by_one_description_is_seen_by_the_other_until_it_is_closed() {
    let (name, first, second) = object();
    assert!(try_lock_byte(&first, 3).unwrap());
    assert!(is_byte_locked(&second, 3).unwrap());
    assert!(!is_byte_locked(&second, 4).unwrap());
    assert!(!is_byte_locked(&first, 3).unwrap(), "one's own lock is not somebody else's");
    assert!(!try_lock_byte(&second, 3).unwrap());
    drop(first);
    assert!(!is_byte_locked(&second, 3).unwrap());
    unlink_shm(&name).unwrap();
    unlink_shm(&name).unwrap();
}

#[test]
fn a_map_is_of_the_file_that_was_opened_whatever_has_its_name() {
    let (name, file, _) = object();
    reserve(&file, 4096).unwrap();
    let identity = named_facts(&name).unwrap().identity;
    assert_eq!(identity, file_facts(&file).unwrap().identity);
    unlink_shm(&name).unwrap();
    assert_eq!(named_facts(&name).unwrap_err().kind(), io::ErrorKind::NotFound);
    let start = map_shared(&file, 4096).unwrap();
    // SAFETY: a page was mapped there.
    unsafe { start.write(7) };
    let mut byte = [0];
    read_at(&file, &mut byte, 0).unwrap();
    assert_eq!(byte, [7]);
    // SAFETY: mapped above; nobody uses it any more.
    unsafe { unmap(start, 4096) };
    assert!(map_shared(&file, 0).is_err());
}

#[test]
fn reading_closes_nothing_so_a_signature_stays() {
    let (name, file, _again) = object();
    unlink_shm(&name).unwrap();
    reserve(&file, 4096).unwrap();
    sign_byte(&file, 2).unwrap();
    read_at(&file, &mut [0; 8], 0).unwrap();
    let signed = std::fs::read_to_string("/proc/locks").unwrap();
    let inode = format!(":{} ", file_facts(&file).unwrap().identity.1);
    let held = signed.lines().any(|lock| lock.contains("POSIX") && lock.contains(&inode));
    assert!(held, "{signed}");
}

#[test]
fn reserving_sets_the_length_and_too_much_is_storage_full() {
    let (name, file, _) = object();
    unlink_shm(&name).unwrap();
    reserve(&file, 4096).unwrap();
    let facts = file_facts(&file).unwrap();
    assert_eq!((facts.length, facts.reserved), (4096, 4096));
    assert_eq!(file_facts(&file).unwrap().uid, effective_uid());
    assert!(free_room(&file) > 0);
    assert!(reserve(&file, 1 << 60).is_err());
}
