//! The same thermometer over a Unix socket: `thermometer-socket serve|read|watch PATH`.

use std::io::{BufRead, BufReader, Write, stdin};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, thread};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", path] => serve(path),
        ["read", path] => read(path),
        ["watch", path] => watch(path),
        _ => Err("say serve, read or watch, and a path".into()),
    }
}

// ANCHOR: server
#[derive(Default)]
struct State {
    celsius: f64,
    watchers: Vec<UnixStream>,
}

fn serve(path: &str) -> Result<()> {
    let _ = fs::remove_file(path); // a server that was killed left it; a live one is robbed of it
    let listener = UnixListener::bind(path)?;
    let state = Arc::new(Mutex::new(State { celsius: 20.0, watchers: Vec::new() }));
    let shared = state.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = shared.clone();
            thread::spawn(move || drop(answer(stream, &shared)));
        }
    });
    println!("serving");
    for line in stdin().lines() {
        let measured: f64 = line?.trim().parse()?;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.celsius = measured;
        // One watcher that does not read makes all wait here.
        state.watchers.retain_mut(|watcher| writeln!(watcher, "{measured}").is_ok());
    }
    fs::remove_file(path)?;
    Ok(())
}

fn answer(mut stream: UnixStream, state: &Mutex<State>) -> Result<()> {
    for line in BufReader::new(stream.try_clone()?).lines() {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match line?.as_str() {
            "read" => writeln!(stream, "{}", state.celsius)?,
            "watch" => {
                state.watchers.push(stream.try_clone()?);
                writeln!(stream, "watching")?;
            }
            other => return Err(format!("unknown command {other}").into()),
        }
    }
    Ok(())
}
// ANCHOR_END: server

// ANCHOR: client
fn read(path: &str) -> Result<()> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    writeln!(stream, "read")?;
    let mut answer = String::new();
    if BufReader::new(stream).read_line(&mut answer)? == 0 {
        return Err("the server is gone; perhaps it has read the command".into());
    }
    let celsius: f64 = answer.trim().parse()?;
    println!("{celsius} °C");
    Ok(())
}

fn watch(path: &str) -> Result<()> {
    let mut stream = UnixStream::connect(path)?;
    writeln!(stream, "watch")?;
    let mut lines = BufReader::new(stream).lines();
    println!("{}", lines.next().ok_or("the server is gone")??);
    for line in lines {
        let celsius: f64 = line?.trim().parse()?;
        println!("{celsius} °C");
    }
    Ok(())
}
// ANCHOR_END: client
