//! Shared memory of the sweep's own: whatever else runs on the machine neither leaves names in it
//! nor sees the sweep's.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Gives this process and its children a `/dev/shm` of their own, where the system allows it. Call
/// it before any thread is started. `false`: it is shared with the rest of the machine.
pub(crate) fn make_private() -> bool {
    let (uid, gid) = (geteuid(), getegid());
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        if unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER).is_err() {
            return false;
        }
        let maps = [
            ("/proc/self/setgroups", "deny".to_owned()),
            ("/proc/self/uid_map", format!("{uid} {uid} 1")),
            ("/proc/self/gid_map", format!("{gid} {gid} 1")),
        ];
        if maps.iter().any(|(path, text)| std::fs::write(path, text).is_err()) {
            return false;
        }
    }
    let none: Option<&str> = None;
    // So that the mount below stays with us.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .and_then(|()| mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), MsFlags::empty(), none))
        .is_ok()
}

/// The library's names in shared memory.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("shmipc."))
        .collect()
}
