//! Who gets in, with real users: each test needs root, to become them, and says so where it is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use shmipc_tests::guest::{Guest, is_root_or_skipped, until};
use shmipc_tests::hostile::users;
use shmipc_tests::{Watchdog, segment_names, unique_name};

const GUEST: &str = env!("CARGO_BIN_EXE_guest");

fn guest(words: &str) -> Guest {
    Guest::start(GUEST, words).unwrap()
}

/// The one line that a guest says.
fn said(words: &str) -> String {
    guest(words).line().unwrap()
}

fn serve(words: &str) -> Guest {
    let mut server = guest(words);
    assert_eq!(server.line().unwrap(), "ready", "{words}");
    server
}

fn registry(name: &str) -> String {
    format!("/dev/shm/shmipc.r.{name}")
}

/// The names of links that this user made.
fn links_of(uid: u32) -> Vec<String> {
    segment_names()
        .into_iter()
        .filter(|name| name.starts_with("shmipc.l."))
        .map(|name| format!("/dev/shm/{name}"))
        .filter(|path| fs::metadata(path).is_ok_and(|file| file.uid() == uid))
        .collect()
}

/// Others of these tests make links of the same users meanwhile, each named for a moment: what is
/// there now must be gone later. The watchdog tells of what stays.
fn no_link_stays(uids: &[u32]) {
    let now: Vec<String> = uids.iter().flat_map(|uid| links_of(*uid)).collect();
    until(|| !now.iter().any(|link| fs::exists(link).unwrap()));
}

#[test]
fn other_users_neither_open_nor_are_accepted() {
    if !is_root_or_skipped("other_users_neither_open_nor_are_accepted") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("private");
    let server = serve(&format!("uid=4001 serve {name}"));
    let file = fs::metadata(registry(&name)).unwrap();
    assert_eq!((file.uid(), file.mode() & 0o7777), (4001, 0o600));
    for stranger in ["uid=4002", "uid=65534", "uid=4002 gid=4001 groups=4001,0"] {
        assert_eq!(said(&format!("{stranger} touch {}", registry(&name))), "PermissionDenied");
        let error = said(&format!("{stranger} ask {name}"));
        assert!(error.contains("belongs to user 4001"), "{error}");
        // Trusting the server is not enough.
        let error = said(&format!("{stranger} ask {name} server_user=4001"));
        assert!(error.contains("does not admit this process's user"), "{error}");
    }
    // Root may open everything: the refusals are the library's own, on either side.
    let error = said(&format!("ask {name}"));
    assert!(error.contains("belongs to user 4001") && error.contains("runs as user 0"), "{error}");
    let error = said(&format!("ask {name} server_user=4001"));
    assert!(error.contains("does not admit this process's user"), "{error}");
    assert_eq!(said(&format!("uid=4001 ask {name}")), "4001 4001 true true");
    no_link_stays(&[0, 4001]);
    assert!(server.end().unwrap());
}

#[test]
fn a_squatted_name_is_refused_with_the_squatters_id() {
    if !is_root_or_skipped("a_squatted_name_is_refused_with_the_squatters_id") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    for kind in ["closed", "open", "directory", "symlink"] {
        let name = unique_name("squatted");
        let mut squatter = guest(&format!("uid=4002 squat {name} {kind}"));
        assert_eq!(squatter.line().unwrap(), "squatted");
        for user in ["uid=4001", ""] {
            let error = said(&format!("{user} serve {name}"));
            assert!(error.contains("is taken by user 4002"), "{kind}: {error}");
            let error = said(&format!("{user} ask {name} deadline=300"));
            assert!(error.contains("belongs to user 4002"), "{kind}: {error}");
            // Somebody else's than the one that is trusted.
            let error = said(&format!("{user} ask {name} server_user=4003 deadline=300"));
            assert!(error.contains("belongs to user 4002"), "{kind}: {error}");
        }
        assert!(fs::symlink_metadata(registry(&name)).is_ok(), "another user's name was removed");
        // At the end of its input the squatter cleans up.
        assert!(squatter.end().unwrap());
    }
}

/// The server's user is no other test's: whoever binds removes what his own dead servers left, and
/// here such a name must stay.
#[test]
fn an_admitted_user_gets_in_and_nobody_else() {
    if !is_root_or_skipped("an_admitted_user_gets_in_and_nobody_else") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("users");
    let mut server = serve(&format!("uid=4011 serve {name} users=4003,4002"));
    for round in 0..3 {
        let who = said(&format!("uid=4002 gid=4012 ask {name} server_user=4011"));
        assert_eq!(who, "4002 4012 true true", "round {round}");
        assert_eq!(said(&format!("uid=4003 ask {name} server_user=4011")), "4003 4003 true true");
        assert_eq!(said(&format!("uid=4011 ask {name}")), "4011 4011 true true");
    }
    let both_must_say = [
        (format!("uid=4002 ask {name}"), "belongs to user 4011"),
        (format!("uid=4002 ask {name} server_user=4009"), "trusts servers of user 4009"),
        (format!("uid=4004 ask {name} server_user=4011"), "does not admit"),
        (format!("uid=4004 groups=4011,4002 ask {name} server_user=4011"), "does not admit"),
        (format!("ask {name} server_user=4011"), "does not admit"),
    ];
    for (words, why) in both_must_say {
        let error = said(&words);
        assert!(error.contains(why), "{words}: {error}");
    }
    assert_eq!(said(&format!("uid=4004 touch {}", registry(&name))), "PermissionDenied");
    no_link_stays(&[0, 4011, 4002, 4003, 4004]);
    a_second_name_is_refused(&name);
    a_death_between_users_is_noticed(&name, &mut server);
}

/// An admitted user, who may write the registry, gives it the name of another server.
fn a_second_name_is_refused(name: &str) {
    let second = format!("{name}-second");
    assert_eq!(said(&format!("uid=4002 link {} {}", registry(name), registry(&second))), "linked");
    for either in [name, &second] {
        let error = said(&format!("uid=4002 ask {either} server_user=4011"));
        assert!(error.contains("a second name"), "{error}");
    }
    fs::remove_file(registry(&second)).unwrap();
    assert_eq!(said(&format!("uid=4002 ask {name} server_user=4011")), "4002 4002 true true");
}

fn a_death_between_users_is_noticed(name: &str, server: &mut Guest) {
    let mut client = guest(&format!("uid=4002 stay {name} server_user=4011"));
    assert!(client.line().unwrap().starts_with("linked"));
    server.process().kill();
    assert!(client.line().unwrap().contains("without a goodbye"));
    // The dead one's name is its user's to take over.
    let error = said(&format!("uid=4002 serve {name}"));
    assert!(error.contains("taken by user 4011"), "{error}");
    let server = serve(&format!("uid=4011 serve {name} users=4002"));
    assert_eq!(said(&format!("uid=4002 ask {name} server_user=4011")), "4002 4002 true true");
    assert!(server.end().unwrap());
}

#[test]
fn members_of_an_admitted_group_get_in_and_nobody_else() {
    if !is_root_or_skipped("members_of_an_admitted_group_get_in_and_nobody_else") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("group");
    // The server need not be a member itself.
    let server = serve(&format!("uid=4001 serve {name} group=5000"));
    for member in ["uid=4002 groups=5000", "uid=4003 gid=5000", "uid=4004 groups=1,5000,7"] {
        let who = said(&format!("{member} ask {name} server_user=4001"));
        assert!(who.ends_with(" 5000 true true"), "{member}: {who}");
    }
    assert_eq!(said(&format!("uid=4001 ask {name}")), "4001 4001 true true");
    let error = said(&format!("uid=4002 groups=5001 ask {name} server_user=4001"));
    assert!(error.contains("does not admit"), "{error}");
    let error = said(&format!("uid=4002 groups=5000 ask {name}"));
    assert!(error.contains("belongs to user 4001"), "{error}");
    assert!(server.end().unwrap());
}

/// The link of an admitted client while the server has not taken it: open to both, to nobody else;
/// and what is left of it when the client is killed then.
#[test]
fn a_link_on_its_way_is_open_to_both_users_alone_and_swept_by_its_own() {
    if !is_root_or_skipped("a_link_on_its_way_is_open_to_both_users_alone_and_swept_by_its_own") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("on-its-way");
    let mut server = serve(&format!("uid=4001 serve {name} users=4022,4023"));
    let ask = format!("uid=4022 ask {name} server_user=4001");
    assert_eq!(said(&ask), "4022 4022 true true");
    server.process().stop();
    let mut client = guest(&format!("{ask} deadline=60000"));
    until(|| links_of(4022).len() == 1);
    let link = links_of(4022).remove(0);
    // The name is there a moment before the list is.
    until(|| said(&format!("uid=4001 touch {link}")) == "open");
    assert_eq!(said(&format!("uid=4022 touch {link}")), "open");
    assert_eq!(said(&format!("uid=4003 groups=4001,4022 touch {link}")), "PermissionDenied");

    client.process().kill();
    server.process().go_on();
    // Neither the server nor another client can remove this user's file; that user's next connect
    // does, once it is old enough not to be somebody's who is just connecting.
    let other = said(&format!("uid=4023 ask {name} server_user=4001"));
    assert_eq!(other, "4023 4023 true true");
    assert_eq!(links_of(4022), [link.as_str()]);
    let file = fs::File::options().write(true).open(&link).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    assert_eq!(said(&ask), "4022 4022 true true");
    assert_eq!(links_of(4022), Vec::<String>::new());
    assert!(server.end().unwrap());
}

/// Who was admitted offered files of others as links: the registry of the server before, which it
/// could write, and whatever somebody left open. The handler was told the files' owners.
#[test]
fn nobody_passes_for_another_by_a_file_of_his() {
    if !is_root_or_skipped("nobody_passes_for_another_by_a_file_of_his") {
        return;
    }
    let _watchdog = Watchdog::start(120);
    let account = users::run(env!("CARGO_BIN_EXE_hostile-run")).unwrap();
    assert_eq!((account.refused, account.honest), (5, 2));
}

/// Bound as one user, served as another: each side's advice led to the other's refusal, and `stop`
/// said that all was well.
#[test]
fn a_server_that_changes_its_user_after_bind() {
    if !is_root_or_skipped("a_server_that_changes_its_user_after_bind") {
        return;
    }
    let _watchdog = Watchdog::start(60);
    let name = unique_name("changed");
    let mut server = serve(&format!("serve {name} users=4001,4002 later=4001"));
    // What each side advises leads to a link.
    let error = said(&format!("uid=4001 ask {name}"));
    assert!(error.contains("belongs to user 0") && error.contains("`server_user`"), "{error}");
    assert_eq!(said(&format!("uid=4001 ask {name} server_user=0")), "4001 4001 true true");
    // Links of others are closed to the user that it is now.
    for other in [format!("ask {name}"), format!("uid=4002 ask {name} server_user=0")] {
        let error = said(&other);
        assert!(error.contains("changed its user after `bind`"), "{other}: {error}");
    }
    let error = said(&format!("uid=4003 ask {name} server_user=0"));
    assert!(error.contains("does not admit"), "{error}");
    server.process().say("stop").unwrap();
    let error = server.line().unwrap();
    assert!(error.contains("is still there") && error.contains("user 0 bound it"), "{error}");
    assert!(server.end().unwrap());
    let error = said(&format!("uid=4001 serve {name}"));
    assert!(error.contains(&format!("remove {}", registry(&name))), "{error}");
    // The user who bound it needs no advice.
    assert!(serve(&format!("serve {name}")).end().unwrap());
    assert!(!fs::exists(registry(&name)).unwrap());
}
