//! A peer whose user code does something: `doer NAME FORM SPOT DEED`, see `shmipc_tests::deed`. It
//! takes orders from its input and prints what came of them.

#![allow(clippy::panic, reason = "a deed of user code")]

use std::error::Error;
use std::io::{BufRead, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use shmipc::{Client, Running, Server, ServerHandle};
use shmipc_tests::deed::{
    Deed, Held, News, NewsClient, NewsReply, Reader, Spot, Trap, Work, WorkClient, WorkReply,
    Worker, arm, go_on, here, leave_if_child,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Server,
    ServerWhole,
    Client,
    ClientWhole,
    ClientClosures,
}

#[derive(Debug, Parser)]
struct Arguments {
    name: String,
    form: Form,
    spot: Spot,
    deed: Deed,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let (order, orders) = mpsc::channel();
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if line == "go on" {
                go_on();
            } else if order.send(line).is_err() {
                return;
            }
        }
        // Whoever gave orders is gone.
        thread::sleep(Duration::from_secs(5));
        std::process::exit(3);
    });
    match arguments.form {
        Form::Server | Form::ServerWhole => serve(&arguments, &orders),
        _ => connect(&arguments, &orders),
    }
}

fn serve(arguments: &Arguments, orders: &mpsc::Receiver<String>) -> Outcome {
    let server = Server::<Work>::builder(&arguments.name).deadline(Duration::from_millis(500));
    let server = server.bind()?;
    let handle: Arc<Mutex<Option<ServerHandle<Work>>>> = Arc::default();
    let (for_back, for_end) = (handle.clone(), handle.clone());
    let own = |handle: &Mutex<Option<ServerHandle<Work>>>| {
        handle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    };
    let call_back = move || {
        let Some(handle) = own(&for_back) else { return };
        let broadcast = handle.broadcast(&News::Say);
        println!("broadcast: {:?}", broadcast.error);
        for peer in handle.peers() {
            println!("send: {:?}, call: {:?}", peer.send(&News::Say), peer.ask().map(|_| ()));
        }
    };
    let end = move || {
        if let Some(handle) = own(&for_end) {
            handle.stop();
        }
    };
    arm(arguments.spot, arguments.deed, call_back, end);
    let running = if arguments.form == Form::Server {
        server.serve(Worker::default())?
    } else {
        let held = Held;
        server.serve_fn(move |_cx, message| {
            let _ = &held;
            here(Spot::Run);
            whole(&message)
        })?
    };
    *handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.handle());
    println!("ready");
    let mut running = Some(running);
    for order in orders {
        let done = catch_unwind(AssertUnwindSafe(|| obey(&mut running, &order)));
        leave_if_child();
        println!("{order}: {}", done.unwrap_or_else(panicked));
    }
    Ok(())
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> String {
    // On this program's own threads what it panicked with is its own business.
    std::mem::forget(payload);
    "panicked".into()
}

fn obey(running: &mut Option<Running<Work>>, order: &str) -> String {
    match (order, &running) {
        ("broadcast", Some(running)) => {
            let handle = running.handle();
            format!("{:?}", handle.broadcast(&News::Leave { trap: Trap }).error)
        }
        ("stop", Some(_)) => format!("{:?}", running.take().map(Running::stop)),
        ("join", Some(_)) => format!("{:?}", running.take().map(Running::join)),
        _ => "no such order".into(),
    }
}

fn whole(message: &Work) -> WorkReply {
    match message {
        Work::Note => WorkReply::Note,
        Work::Leave { .. } => WorkReply::Leave,
        Work::Ask => WorkReply::Ask(1),
        Work::Take { .. } => WorkReply::Take(1),
        Work::Give => WorkReply::Give(Trap),
        Work::Event => WorkReply::Event(()),
        Work::Links => WorkReply::Links((0, Vec::new())),
    }
}

type Own = Arc<Mutex<Option<Client<Work>>>>;

fn connect(arguments: &Arguments, orders: &mpsc::Receiver<String>) -> Outcome {
    let own: Own = Arc::default();
    let get = |own: &Own| own.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (for_back, for_end) = (own.clone(), own.clone());
    let call_back = move || {
        if let Some(client) = get(&for_back) {
            println!("send: {:?}, call: {:?}", client.note(), client.ask().map(|_| ()));
        }
    };
    let end = move || {
        let client = for_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            client.close();
        }
    };
    arm(arguments.spot, arguments.deed, call_back, end);
    let builder = Client::<Work>::builder(&arguments.name).deadline(Duration::from_secs(2));
    let held = Held;
    let departed = move |departure: &shmipc::Departure| {
        let _ = &held;
        println!("departed: {departure}");
        here(Spot::Depart);
    };
    let builder = match arguments.form {
        Form::Client => builder.serve_events(Reader::default()),
        Form::ClientWhole => {
            let held = Held;
            builder.serve_events_fn(move |_cx, event| {
                let _ = &held;
                here(Spot::Run);
                match event {
                    News::Say => NewsReply::Say,
                    News::Leave { .. } => NewsReply::Leave,
                    News::Ask => NewsReply::Ask(1),
                    News::Give => NewsReply::Give(Trap),
                }
            })
        }
        _ => builder
            .on_event(|event| {
                if matches!(event, News::Say) {
                    here(Spot::Run);
                }
            })
            .on_missed(|_| here(Spot::Missed))
            .on_departure(departed),
    };
    let client = builder.connect()?;
    *own.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    println!("ready");
    for order in orders {
        let done = catch_unwind(AssertUnwindSafe(|| do_as_client(&own, &order)));
        leave_if_child();
        println!("{order}: {}", done.unwrap_or_else(panicked));
    }
    Ok(())
}

struct Notes(u32);

impl Iterator for Notes {
    type Item = Work;
    fn next(&mut self) -> Option<Work> {
        self.0 += 1;
        if self.0 == 3 {
            here(Spot::Iterate);
        }
        (self.0 <= 4).then_some(Work::Note)
    }
}

fn do_as_client(own: &Own, order: &str) -> String {
    let client = own.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(client) = client else { return "no client".into() };
    let said = |error: &dyn Error| error.to_string();
    match order {
        "note" => format!("{:?}", client.note().map_err(|error| said(&error))),
        "leave" => format!("{:?}", client.leave(Trap).map_err(|error| said(&error))),
        "ask" => format!("{:?}", client.ask().map(|_| ()).map_err(|error| said(&error))),
        "take" => format!("{:?}", client.take(Trap).map(|_| ()).map_err(|error| said(&error))),
        "give" => format!("{:?}", client.give().map(|_| ()).map_err(|error| said(&error))),
        "all" => format!("{:?}", client.send_all(Notes(0)).map_err(|error| said(&error))),
        "connected" => client.is_connected().to_string(),
        "drop" => {
            drop(client);
            let last = own.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(last);
            "done".into()
        }
        _ => "no such order".into(),
    }
}
