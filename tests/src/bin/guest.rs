//! A peer of another user, in another namespace, or forked:
//! `guest [uid=U] [gid=G] [groups=G,G] COMMAND NAME [KEY=VALUE…]`, where the command is one of
//! `serve`, `ask`, `stay`, `touch`, `link`, `squat`, `fork-client`, `fork-stay`, `fork-server`,
//! `fork-in-handler`, `unseen-child`, `exec`, `reuse`.
//! Each says what came of it in lines of text.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, stdin};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Uid, fork, setgroups, setresgid, setresuid};
use shmipc::{Admission, Client, ClientBuilder, Context, Departure, Server};
use shmipc_tests::guest::{Caller, Doorkeeper, Identity, IdentityClient, IdentityHandler, kill};

/// How long a forked child lives that nobody kills: a failed test leaves it behind.
const LIFE: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (user, rest): (Vec<_>, Vec<_>) = words
        .iter()
        .map(String::as_str)
        .partition(|word| ["uid=", "gid=", "groups="].iter().any(|key| word.starts_with(key)));
    become_user(&user)?;
    match rest.as_slice() {
        ["serve", name, options @ ..] => serve(name, options),
        ["ask", name, options @ ..] => ask(name, options),
        ["stay", name, options @ ..] => stay(name, options),
        ["touch", path] => touch(path),
        ["link", from, to] => {
            fs::hard_link(from, to)?;
            println!("linked");
            Ok(())
        }
        ["squat", name, kind] => squat(name, kind),
        ["fork-client", name] => fork_client(name),
        ["fork-stay", name] => fork_stay(name),
        ["fork-server", name] => fork_server(name),
        ["fork-in-handler", name] => fork_in_handler(name),
        ["unseen-child", name, made_by] => unseen_child(name, made_by),
        ["exec", name] => exec(name),
        ["reuse", name] => reuse(name),
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn number(words: &[&str], key: &str) -> Result<Option<u32>, Box<dyn Error>> {
    let found = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Ok(found.map(str::parse).transpose()?)
}

fn numbers(words: &[&str], key: &str) -> Result<Option<Vec<u32>>, Box<dyn Error>> {
    let found = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    Ok(found.map(|list| list.split(',').map(str::parse).collect()).transpose()?)
}

fn become_user(words: &[&str]) -> Outcome {
    let Some(uid) = number(words, "uid")? else { return Ok(()) };
    let gid = Gid::from_raw(number(words, "gid")?.unwrap_or(uid));
    let groups = numbers(words, "groups")?.unwrap_or_default();
    setgroups(&groups.into_iter().map(Gid::from_raw).collect::<Vec<_>>())?;
    setresgid(gid, gid, gid)?;
    let uid = Uid::from_raw(uid);
    Ok(setresuid(uid, uid, uid)?)
}

fn wait_for_end_of_input() {
    let _ = stdin().lock().lines().last();
}

fn serve(name: &str, options: &[&str]) -> Outcome {
    let admission = match (numbers(options, "users")?, number(options, "group")?) {
        (Some(users), _) => Admission::Users(users),
        (None, Some(group)) => Admission::Group(group),
        (None, None) => Admission::SameUser,
    };
    let server = match Server::<Identity>::builder(name).admit(admission).bind() {
        Ok(server) => server,
        Err(error) => {
            println!("{error}");
            return Ok(());
        }
    };
    if let Some(uid) = number(options, "later")? {
        become_user(&[&format!("uid={uid}")])?;
    }
    let running = server.serve(Doorkeeper::default())?;
    println!("ready");
    // A line is as good as its end.
    stdin().lock().lines().next();
    if let Err(error) = running.stop() {
        println!("{error}");
    }
    Ok(())
}

fn builder(name: &str, options: &[&str]) -> Result<ClientBuilder<Identity>, Box<dyn Error>> {
    let deadline = number(options, "deadline")?.unwrap_or(5_000);
    let builder = Client::<Identity>::builder(name)
        .ring_size(4096)
        .connect_deadline(Duration::from_millis(u64::from(deadline)));
    Ok(match number(options, "server_user")? {
        Some(uid) => builder.server_user(uid),
        None => builder,
    })
}

/// Asks once who it is.
fn ask(name: &str, options: &[&str]) -> Outcome {
    match builder(name, options)?.connect() {
        Ok(client) => {
            let who = client.who()?;
            println!(
                "{} {} {} {}",
                who.uid,
                who.gid,
                who.pid == std::process::id(),
                who.pid_is_certain
            );
        }
        Err(error) => println!("{error}"),
    }
    Ok(())
}

/// Stays until the server goes, and says so.
fn stay(name: &str, options: &[&str]) -> Outcome {
    let (told, departed) = std::sync::mpsc::channel();
    let client = builder(name, options)?
        .on_departure(move |departure| {
            let _ = told.send(departure.to_string());
        })
        .connect()?;
    let who = client.who()?;
    println!("linked {} {}", who.pid, who.pid_is_certain);
    println!("{}", departed.recv()?);
    Ok(())
}

/// Tries to open a file for writing.
fn touch(path: &str) -> Outcome {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => println!("open"),
        Err(error) => println!("{:?}", error.kind()),
    }
    Ok(())
}

/// Makes something of the name of a registry.
fn squat(name: &str, kind: &str) -> Outcome {
    let path = format!("/dev/shm/shmipc.r.{name}");
    match kind {
        "directory" => fs::create_dir(&path)?,
        "symlink" => symlink("/dev/null", &path)?,
        _ => {
            fs::write(&path, [0; 65_536])?;
            let mode = if kind == "open" { 0o666 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    println!("squatted");
    wait_for_end_of_input();
    match kind {
        "directory" => fs::remove_dir(&path)?,
        _ => fs::remove_file(&path)?,
    }
    Ok(())
}

fn fork_off(child: impl FnOnce() -> Outcome) -> Result<i32, Box<dyn Error>> {
    // SAFETY: what the child does is what this library promises to bear; it allocates, which the C
    // library allows after its own fork.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child.as_raw()),
        ForkResult::Child => {
            let code = match child() {
                Ok(()) => 0,
                Err(error) => {
                    println!("child: {error}");
                    1
                }
            };
            std::process::exit(code);
        }
    }
}

/// A client that forks: the child may not use the link, may drop it, and may make one of its own.
fn fork_client(name: &str) -> Outcome {
    let client = builder(name, &[])?.on_event(|_| {}).connect()?;
    client.note()?;
    let copy = client.clone();
    let child = fork_off(move || {
        println!("send: {}", copy.note().err().ok_or("sent")?);
        println!("call: {}", copy.who().err().ok_or("called")?);
        println!("connected: {}", copy.is_connected());
        copy.close();
        drop(copy);
        let own = builder(name, &[])?.on_departure(|_| {}).connect()?;
        println!("own: {}", own.who()?.pid == std::process::id());
        own.close();
        Ok(())
    })?;
    let status = waitpid(nix::unistd::Pid::from_raw(child), None)?;
    println!("child ended: {status:?}");
    client.note()?;
    println!("parent: {:?}", client.seen()?);
    // And one that drops nothing and only lives on.
    let child = fork_off(|| {
        thread::sleep(LIFE);
        Ok(())
    })?;
    println!("{child}");
    wait_for_end_of_input();
    kill(u32::try_from(child)?);
    Ok(())
}

/// A child that the C library does not prepare. Zero in the child.
fn make_unseen(made_by: &str) -> Result<i32, Box<dyn Error>> {
    use nix::libc;
    let pid = if made_by == "_Fork" {
        // SAFETY: asks for a symbol by a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_Fork".as_ptr()) };
        if found.is_null() {
            return Err("no `_Fork` in this C library".into());
        }
        // SAFETY: that is the function's type.
        let make: extern "C" fn() -> i32 = unsafe { std::mem::transmute(found) };
        make()
    } else {
        // SAFETY: makes a child with a copy of this memory, as fork does, on this stack.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        i32::try_from(pid)?
    };
    if pid < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok(pid) }
}

/// A client with children that `fork` did not make: one uses everything, and the other nothing.
fn unseen_child(name: &str, made_by: &str) -> Outcome {
    let client = builder(name, &[])?.on_event(|_| {}).connect()?;
    client.who()?;
    let child = make_unseen(made_by)?;
    if child == 0 {
        println!("send: {}", client.note().err().ok_or("sent")?);
        println!("call: {}", client.who().err().ok_or("called")?);
        println!("connected: {}", client.is_connected());
        client.close();
        drop(client);
        let own = builder(name, &[])?.on_departure(|_| {}).connect();
        println!("own: {:?}", own.map(|own| own.who().is_ok()));
        // SAFETY: ends this process.
        unsafe { nix::libc::_exit(0) };
    }
    let status = waitpid(nix::unistd::Pid::from_raw(child), None)?;
    println!("child ended: {status:?}");
    println!("parent: {}", client.who()?.pid == std::process::id());
    let quiet = make_unseen(made_by)?;
    if quiet == 0 {
        thread::sleep(LIFE);
        return Ok(());
    }
    println!("{quiet}");
    wait_for_end_of_input();
    kill(u32::try_from(quiet)?);
    Ok(())
}

/// A client that forks; the child has a link of its own, and stays as long as its server does.
fn fork_stay(name: &str) -> Outcome {
    let client = builder(name, &[])?.connect()?;
    client.who()?;
    let child = fork_off(|| stay(name, &[]))?;
    waitpid(nix::unistd::Pid::from_raw(child), None)?;
    Ok(())
}

/// A server that forks; the child drops its copy and lives on.
fn fork_server(name: &str) -> Outcome {
    let server = Server::<Identity>::bind(name)?;
    let unused = Server::<Identity>::bind(&format!("{name}-unused"))?;
    let running = server.serve(Doorkeeper::default())?;
    println!("ready");
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let (mut running, mut unused) = (Some(running), Some(unused));
    let handle = running.as_ref().map(shmipc::Running::handle);
    let (of_child, unused_of_child) = (running.take(), unused.take());
    // SAFETY: as in `fork_off`.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            println!("{child}");
            wait_for_end_of_input();
            kill(u32::try_from(child.as_raw())?);
            drop((of_child, unused_of_child));
        }
        ForkResult::Child => {
            let peers = handle.map_or(0, |handle| {
                handle.stop();
                handle.peers().len()
            });
            let stopped = of_child.map(shmipc::Running::stop);
            let served = unused_of_child.map(|server| server.serve(Doorkeeper::default()));
            println!(
                "{peers} {stopped:?} {}",
                matches!(served, Some(Err(shmipc::ServeError::Forked)))
            );
            thread::sleep(LIFE);
        }
    }
    Ok(())
}

/// Forks when it is asked who asks, and comes out of the handler on both sides.
struct Forking {
    inner: Doorkeeper,
    handle: Arc<OnceLock<shmipc::ServerHandle<Identity>>>,
}

impl IdentityHandler for Forking {
    fn who(&mut self, cx: &Context<Identity>) -> Caller {
        // Another thread's, for as long as the fork takes: the child must not need what it holds.
        let busy = self.handle.get().cloned();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        let other = thread::spawn(move || {
            while !seen.load(Relaxed) {
                drop(busy.as_ref().map(shmipc::ServerHandle::peers));
            }
        });
        // SAFETY: as in `fork_off`.
        if let Ok(ForkResult::Parent { child }) = unsafe { fork() } {
            println!("child: {:?}", waitpid(child, None));
            stop.store(true, Relaxed);
            drop(other.join());
        }
        self.inner.who(cx)
    }

    fn note(&mut self, cx: &Context<Identity>) {
        self.inner.note(cx);
    }

    fn seen(&mut self, cx: &Context<Identity>) -> (u64, u64, Vec<String>) {
        self.inner.seen(cx)
    }

    fn peer_departed(&mut self, _cx: &Context<Identity>, departure: &Departure) {
        println!("departed: {departure}");
    }
}

fn fork_in_handler(name: &str) -> Outcome {
    let handle = Arc::new(OnceLock::new());
    let handler = Forking { inner: Doorkeeper::default(), handle: handle.clone() };
    let running = Server::<Identity>::bind(name)?.serve(handler)?;
    drop(handle.set(running.handle()));
    println!("ready");
    wait_for_end_of_input();
    Ok(running.stop()?)
}

/// A client with a child that executes another program.
fn exec(name: &str) -> Outcome {
    let client = builder(name, &[])?.connect()?;
    client.who()?;
    let mut command = Command::new("sleep");
    command.arg("1000");
    // SAFETY: does nothing; it only keeps the standard library from its faster way without fork.
    let mut child = unsafe { command.pre_exec(|| Ok(())) }.spawn()?;
    println!("{}", child.id());
    wait_for_end_of_input();
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// In a pid namespace of its own: a server dies, another process gets its pid.
fn reuse(name: &str) -> Outcome {
    let program = std::env::current_exe()?;
    let mut server = Command::new(program)
        .args(["serve", name])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let pid = server.id();
    let client = builder(name, &[])?.connect()?;
    client.who()?;
    println!("{} {pid}", client.server_pid());
    server.kill()?;
    server.wait()?;
    let other = loop {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())?;
        let mut other = Command::new("sleep").arg("1000").spawn()?;
        if other.id() == pid {
            break other;
        }
        other.kill()?;
        other.wait()?;
    };
    println!("{}", client.who().err().ok_or("called")?);
    println!("{}", builder(name, &["deadline=200"])?.connect().err().ok_or("connected")?);
    let running = Server::<Identity>::bind(name)?.serve(Doorkeeper::default())?;
    println!("{}", builder(name, &[])?.connect()?.who()?.uid);
    drop((running, other));
    Ok(())
}
