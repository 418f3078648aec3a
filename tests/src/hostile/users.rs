//! Users who would pass for others: real ones, so as root alone. Whoever is admitted can give any
//! file that it may write a link's name, and fill it as a link. Who made the file is asked of the
//! kernel; so the server must take only what nobody but its owner could have filled.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, stdin};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use shmipc::{Admission, Server};

use super::lane::Frame;
use super::layout::link::CLIENT_BYTE;
use super::layout::{Lane, kind};
use super::link::{self, Handed, Link, PATIENCE, Plan};
use super::raw::{self, Raw, wait_for};
use super::registry::{self, Registry};
use crate::guest::{Doorkeeper, Identity};
use crate::process::PeerProcess;

/// The server's user, one that is admitted and hostile, and another that is admitted and careless.
const OWNER: u32 = 4001;
const HOSTILE: u32 = 4002;
const CARELESS: u32 = 4003;

/// What the attempts came to.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Attempts that were refused, as they must be.
    pub refused: u64,
    /// Links that were what they seem, and got in as who made them.
    pub honest: u64,
    /// Not root: nothing was tried.
    pub skipped: bool,
}

/// What a file is made of that is offered as a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// The registry of the server before, which those who were admitted could write.
    OldRegistry,
    /// A file that this user left open to everybody.
    OpenFile(u32),
    /// One that it left open to its group.
    GroupFile(u32),
    /// The hostile user's own, which it lets a third one write.
    Shared,
    /// As an honest client of this user makes it.
    Honest(u32),
}

const CASES: &[Case] = &[
    Case::OldRegistry,
    Case::OpenFile(CARELESS),
    Case::OpenFile(OWNER),
    Case::GroupFile(OWNER),
    Case::Shared,
    Case::Honest(OWNER),
    Case::Honest(HOSTILE),
];

/// Tries everything on a server of its own; `program` is `hostile-run`.
///
/// # Errors
/// Somebody passed for another, or an honest link was refused.
pub fn run(program: &str) -> Result<Account, String> {
    let mut account = Account::default();
    if !Uid::effective().is_root() {
        account.skipped = true;
        return Ok(account);
    }
    for case in CASES {
        // Between two servers anybody of their user may remove what the first one left: tried
        // again.
        let tries = if *case == Case::OldRegistry { 20 } else { 1 };
        let mut said = attempt(program, *case);
        for _ in 1..tries {
            if said.is_err() {
                said = attempt(program, *case);
            }
        }
        let said = said.map_err(|error| format!("{case:?}: {error}"))?;
        let expected = match case {
            Case::Honest(uid) => format!("linked {uid} {uid}"),
            _ => "refused".into(),
        };
        if !said.starts_with(&expected) {
            return Err(format!("{case:?}: {said:?} instead of {expected:?}"));
        }
        match case {
            Case::Honest(_) => account.honest += 1,
            _ => account.refused += 1,
        }
    }
    Ok(account)
}

fn attempt(program: &str, case: Case) -> Result<String, Box<dyn Error>> {
    let name = crate::unique_name("hostile-users");
    let id = u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..));
    let link = Named(link::path(id));
    let start = |words: &[&str]| PeerProcess::start(program, words);
    let serve = || -> io::Result<PeerProcess> {
        let mut server = start(&["doorkeep", &name])?;
        server.line()?;
        Ok(server)
    };
    let as_hostile = |from: &Path| -> io::Result<PeerProcess> {
        let from = from.to_str().unwrap_or_default();
        let mut process = start(&["hard-link", from, &link.0.to_string_lossy()])?;
        process.line()?;
        Ok(process)
    };
    let mut server = serve()?;
    // Holds the file's lock, so that nobody takes it for a dead process's.
    let mut holder = None;
    let maker = match case {
        Case::OldRegistry => {
            let mut linked = as_hostile(&registry::path(&name))?;
            server.wait()?;
            linked.line()?;
            holder = Some(linked);
            server = serve()?;
            HOSTILE
        }
        Case::OpenFile(uid) | Case::GroupFile(uid) => {
            let is_open = matches!(case, Case::OpenFile(_));
            let first = Named(PathBuf::from(format!("/dev/shm/{name}-file")));
            File::create_new(&first.0)?;
            // A group that the hostile user is in.
            chown(&first.0, Some(uid), Some(HOSTILE))?;
            let mode = if is_open { 0o666 } else { 0o660 };
            fs::set_permissions(&first.0, fs::Permissions::from_mode(mode))?;
            // Its owner removes his name, at the end of this block.
            holder = Some(as_hostile(&first.0)?);
            HOSTILE
        }
        Case::Shared => HOSTILE,
        Case::Honest(uid) => uid,
    };
    let kind = match case {
        Case::Honest(OWNER) => "own",
        Case::Honest(_) => "listed",
        Case::Shared => "shared",
        _ => "found",
    };
    let mut forger = start(&["forge", &name, &maker.to_string(), kind, &format!("{id:032x}")])?;
    let said = forger.line()?;
    drop(holder);
    server.wait()?;
    Ok(said)
}

/// A name that is removed at the end.
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        // The server may have done so.
        let _ = fs::remove_file(&self.0);
    }
}

fn become_user(uid: u32) -> io::Result<()> {
    setgroups(&[])?;
    let (gid, uid) = (Gid::from_raw(uid), Uid::from_raw(uid));
    setresgid(gid, gid, gid)?;
    Ok(setresuid(uid, uid, uid)?)
}

/// Serves until its input ends.
///
/// # Errors
/// The name cannot be bound.
pub fn doorkeep(name: &str) -> Result<(), Box<dyn Error>> {
    become_user(OWNER)?;
    let admission = Admission::Users(vec![HOSTILE, CARELESS]);
    let server = Server::<Identity>::builder(name).admit(admission).bind()?;
    let running = server.serve(Doorkeeper::default())?;
    println!("ready");
    io::copy(&mut stdin(), &mut io::sink())?;
    Ok(running.stop()?)
}

/// Gives a file a second name, as the hostile user, and holds the lock of whoever would live in it
/// until its input ends.
///
/// # Errors
/// The kernel forbids it.
pub fn hard_link(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    become_user(HOSTILE)?;
    fs::hard_link(from, to)?;
    println!("linked");
    let file = File::options().read(true).write(true).open(to)?;
    // As long as its server lives, it is locked.
    wait_for(PATIENCE, || raw::lock(&file, CLIENT_BYTE).then_some(())).ok_or("still locked")?;
    println!("locked");
    io::copy(&mut stdin(), &mut io::sink())?;
    Ok(())
}

/// Fills a file as a link, offers it, and asks for whom it is taken.
///
/// # Errors
/// The attempt itself failed.
pub fn forge(name: &str, uid: u32, made: &str, id: u128) -> Result<(), Box<dyn Error>> {
    become_user(uid)?;
    let server = Registry::open(name)?;
    let plan = Plan::rings(4 << 10);
    let path = link::path(id);
    if made != "found" {
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        match made {
            "own" => {}
            "listed" => set_access_list(&file, &[OWNER])?,
            _ => set_access_list(&file, &[OWNER, CARELESS])?,
        }
    }
    let raw = Raw::take_over(&path, plan.length())?;
    raw.write(0, &vec![0; plan.length()]);
    link::write_header(&server, &raw, plan);
    match Link::offer(&server, id, plan, raw) {
        Handed::Refused(answer) => println!("refused {answer}"),
        Handed::Ignored => println!("ignored"),
        Handed::Linked(link) => {
            let (uid, gid) = ask(&server, &link).ok_or("linked, and no answer")?;
            link.leave(&server);
            println!("linked {uid} {gid}");
        }
    }
    Ok(())
}

/// Lets these users write the file too: version, then entries of tag, permission and id.
fn set_access_list(file: &File, users: &[u32]) -> io::Result<()> {
    let entry = |tag: u16, permission: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permission.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let mut list = 2_u32.to_le_bytes().to_vec();
    list.extend(entry(0x01, 6, u32::MAX));
    users.iter().for_each(|uid| list.extend(entry(0x02, 6, *uid)));
    list.extend(entry(0x04, 0, u32::MAX));
    list.extend(entry(0x10, 6, u32::MAX));
    list.extend(entry(0x20, 0, u32::MAX));
    let name = c"system.posix_acl_access".as_ptr();
    // SAFETY: a C string, and a list that is as long as said.
    let result =
        unsafe { libc::fsetxattr(file.as_raw_fd(), name, list.as_ptr().cast(), list.len(), 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The user and the group that the handler is told.
fn ask(server: &Registry, link: &Link) -> Option<(u32, u32)> {
    let mut reader = link.reader(Lane::RepliesToClient);
    // `Identity::Who`.
    link.put_first(Lane::MessagesToServer, &Frame::new(kind::REQUEST, 1, vec![0; 4]));
    link.kick(server);
    let (_, _, payload) = wait_for(PATIENCE, || reader.take())?;
    // The pid, whether it is certain, the user and the group.
    let number = |at: usize| payload.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    Some((number(5)?, number(9)?))
}
