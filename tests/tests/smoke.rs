//! smoke
use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Server, ShmMessage};
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
#[shm(events = Ev)]
enum Lib {
    Note {
        author: String,
        text: String,
    },
    #[shm(reply = u64)]
    Count {
        word: String,
    },
    #[shm(reply = bool)]
    AskBack,
    #[shm(reply = u64)]
    Boom,
}
#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Ev {
    Changed {
        by: String,
    },
    #[shm(reply = bool)]
    MayClose,
}
#[derive(Default)]
struct H {
    notes: Vec<String>,
}
impl LibHandler for H {
    fn note(&mut self, cx: &Context<Lib>, author: String, text: String) {
        self.notes.push(text);
        cx.server().broadcast(&Ev::Changed { by: author });
    }
    fn count(&mut self, _cx: &Context<Lib>, word: String) -> u64 {
        self.notes.iter().filter(|n| n.contains(&word)).count() as u64
    }
    fn ask_back(&mut self, cx: &Context<Lib>) -> bool {
        cx.peer().may_close().unwrap()
    }
    fn boom(&mut self, _cx: &Context<Lib>) -> u64 {
        panic!("boom {}", 1)
    }
}
struct E(std::sync::mpsc::Sender<String>);
impl EvHandler for E {
    fn changed(&mut self, _cx: &Context<Ev>, by: String) {
        self.0.send(by).unwrap();
    }
    fn may_close(&mut self, _cx: &Context<Ev>) -> bool {
        true
    }
}

#[test]
fn smoke() {
    let running = Server::<Lib>::bind("smoke")
        .unwrap()
        .serve(H::default())
        .unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    let c = Client::<Lib>::builder("smoke")
        .serve_events(E(tx))
        .connect()
        .unwrap();
    c.note("ann".into(), "hello world".into()).unwrap();
    assert_eq!(c.count("hello".into()).unwrap(), 1);
    assert_eq!(rx.recv_timeout(Duration::from_secs(5)).unwrap(), "ann");
    assert!(c.ask_back().unwrap());
    println!("{}", c.boom().unwrap_err());
    let big = "x".repeat(3_000_000);
    c.note("bob".into(), big).unwrap(); let _ = 0;
    let t = std::time::Instant::now();
    for _ in 0..100_000 {
        c.count("hello".into()).unwrap();
    }
    println!("{:?} per call", t.elapsed() / 100_000);
    c.note("bob".into(), big).unwrap();
    assert_eq!(c.count("xxx".into()).unwrap(), 1);
    drop(running);
    println!("{}", c.count("hello".into()).unwrap_err());
    println!(
        "{:?}",
        std::fs::read_dir("/dev/shm")
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect::<Vec<_>>()
    );
}
