//! Every place where the library runs the user's code, and what comes of what that code does there:
//! `docs/user-code.md`, row by row. Each in a process of its own, with an innocent one beside it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use shmipc::{CallError, Client, Peer, Running, SendError, Server, ServerHandle};
use shmipc_tests::deed::{Deed, News, NewsClient, Spot, Trap, Work, WorkClient, Worker};
use shmipc_tests::doer::Doer;
use shmipc_tests::{Watchdog, unique_name};

const DOER: &str = env!("CARGO_BIN_EXE_doer");
/// Of what may be blocked.
const SOON: Duration = Duration::from_millis(300);

/// What came of a request or a notice.
fn told<T>(result: Result<T, CallError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(CallError::HandlerPanicked { .. }) => "panicked",
        Err(CallError::Deadline { .. }) => "deadline",
        Err(CallError::PeerGone { .. } | CallError::NotSent(SendError::PeerGone { .. })) => "gone",
        Err(other) => panic!("{other:?}"),
    }
}

/// A place on a server's listener: how it is come to, and what the client that does so is told if
/// the code there panics (it is told "ok" otherwise, as long as the server lives).
struct ServerPlace {
    form: &'static str,
    spot: Spot,
    come: fn(&Client<Work>) -> &'static str,
    panic_tells: &'static str,
}

fn notice(result: Result<(), SendError>) -> &'static str {
    told(result.map_err(CallError::from))
}

const SERVER_PLACES: &[(&str, ServerPlace)] = &[
    (
        "a method, of a notice",
        ServerPlace {
            form: "server",
            spot: Spot::Run,
            come: |client| notice(client.note()),
            panic_tells: "ok",
        },
    ),
    (
        "a method, of a request",
        ServerPlace {
            form: "server",
            spot: Spot::Run,
            come: |client| told(client.ask()),
            panic_tells: "panicked",
        },
    ),
    (
        "the closure of serve_fn",
        ServerPlace {
            form: "server-whole",
            spot: Spot::Run,
            come: |client| told(client.ask()),
            panic_tells: "panicked",
        },
    ),
    (
        "Deserialize of a notice",
        ServerPlace {
            form: "server",
            spot: Spot::Decode,
            come: |client| notice(client.leave(Trap)),
            panic_tells: "ok",
        },
    ),
    (
        "Deserialize of a request",
        ServerPlace {
            form: "server",
            spot: Spot::Decode,
            come: |client| told(client.take(Trap)),
            panic_tells: "panicked",
        },
    ),
    (
        "Drop of a message, in the handler",
        ServerPlace {
            form: "server",
            spot: Spot::DropValue,
            come: |client| told(client.take(Trap)),
            panic_tells: "panicked",
        },
    ),
    (
        "Drop of a message, after serve_fn's closure",
        ServerPlace {
            form: "server-whole",
            spot: Spot::DropValue,
            come: |client| told(client.take(Trap)),
            panic_tells: "panicked",
        },
    ),
    (
        "Serialize of a reply",
        ServerPlace {
            form: "server",
            spot: Spot::Encode,
            come: |client| told(client.give()),
            panic_tells: "panicked",
        },
    ),
    (
        "Drop of a reply, which was sent",
        ServerPlace {
            form: "server",
            spot: Spot::DropValue,
            come: |client| told(client.give()),
            panic_tells: "ok",
        },
    ),
    (
        "Serialize of an event that a handler sends",
        ServerPlace {
            form: "server",
            spot: Spot::Encode,
            come: |client| told(client.event()),
            panic_tells: "panicked",
        },
    ),
    (
        "peer_arrived",
        ServerPlace { form: "server", spot: Spot::Arrive, come: |_| "ok", panic_tells: "ok" },
    ),
    (
        "peer_departed",
        ServerPlace {
            form: "server",
            spot: Spot::Depart,
            come: |client| {
                client.close();
                "ok"
            },
            panic_tells: "ok",
        },
    ),
];

fn reader(name: &str, deadline: Duration) -> Client<Work> {
    let builder = Client::<Work>::builder(name).deadline(deadline);
    builder.serve_events(shmipc_tests::deed::Reader::default()).connect().unwrap()
}

fn on_a_server(deed: Deed) {
    for (what, place) in SERVER_PLACES {
        let _watchdog = Watchdog::start(60);
        println!("{what}: {deed:?}");
        let name = unique_name("deed");
        let mut doer = Doer::start(DOER, &name, place.form, place.spot, deed);
        let arrives = place.spot == Spot::Arrive;
        if arrives {
            doer.expect("ready");
        }
        // Where arriving does the deed, the innocent one comes after.
        let innocent = (!arrives).then(|| reader(&name, Duration::from_secs(20)));
        let subject = reader(&name, Duration::from_secs(20));
        let came = thread::spawn({
            let (subject, come) = (subject.clone(), place.come);
            move || come(&subject)
        });
        doer.expect("doing");
        if deed == Deed::Block {
            let innocent = innocent.clone().unwrap_or_else(|| subject.clone());
            assert_eq!(told(innocent.with_deadline(SOON).links()), "deadline", "{what}");
            doer.say("go on");
        }
        let came = came.join().unwrap();
        let innocent = match deed {
            // Only the one who came is gone, or nobody is.
            Deed::End | Deed::Exit => innocent,
            _ => Some(innocent.unwrap_or_else(|| reader(&name, Duration::from_secs(20)))),
        };
        check_what_came(what, place, deed, came, &mut doer);
        let goes_on = !matches!(deed, Deed::End | Deed::Exit);
        if let Some(innocent) = innocent {
            assert_eq!(told(innocent.ask()), if goes_on { "ok" } else { "gone" }, "{what}");
        }
        if goes_on {
            // The handler goes with its server, whatever it did.
            assert_eq!(doer.order("stop"), "Some(Ok(()))", "{what}");
            assert!(doer.has_said("handler dropped"), "{what}");
        }
        // In any case the name is free.
        drop(Server::<Work>::bind(&name).unwrap());
    }
}

/// What the one is told who came to the place, and what the process says.
fn check_what_came(what: &str, place: &ServerPlace, deed: Deed, came: &str, doer: &mut Doer) {
    match deed {
        Deed::Panic | Deed::PanicTwice => assert_eq!(came, place.panic_tells, "{what}"),
        Deed::Block => assert_eq!(came, "ok", "{what}"),
        Deed::Fork => {
            assert_eq!(came, "ok", "{what}");
            doer.expect("child ended");
        }
        Deed::CallBack => {
            let line = doer.expect("broadcast: ");
            let refused = line.contains("is being encoded on this thread");
            assert!(line == "broadcast: None" || refused, "{what}: {line}");
            assert_eq!(refused, place.spot == Spot::Encode, "{what}: {line}");
            assert_eq!(came, "ok", "{what}");
        }
        Deed::End => {
            assert!(matches!(came, "ok" | "gone"), "{what}: {came}");
            assert_eq!(doer.order("join"), "Some(Ok(()))", "{what}");
        }
        Deed::Exit => {
            let may_be_ok = place.panic_tells == "ok";
            assert!(came == "gone" || may_be_ok && came == "ok", "{what}: {came}");
            assert_eq!(doer.exit_code(), 7, "{what}");
        }
    }
}

#[test]
fn a_server_whose_user_code_panics() {
    on_a_server(Deed::Panic);
}

#[test]
fn a_server_whose_user_code_panics_with_what_panics_when_dropped() {
    on_a_server(Deed::PanicTwice);
}

#[test]
fn a_server_whose_user_code_blocks() {
    on_a_server(Deed::Block);
}

#[test]
fn a_server_whose_user_code_calls_back() {
    on_a_server(Deed::CallBack);
}

#[test]
fn a_server_whose_user_code_stops_it() {
    on_a_server(Deed::End);
}

#[test]
fn a_server_whose_user_code_forks() {
    on_a_server(Deed::Fork);
}

#[test]
fn a_server_whose_user_code_exits() {
    on_a_server(Deed::Exit);
}

/// A place on a client's listener: how the server comes to it, and what it is told if the code
/// there panics.
struct ClientPlace {
    form: &'static str,
    spot: Spot,
    come: fn(&ServerHandle<Work>, &Peer<News>) -> &'static str,
    panic_tells: &'static str,
}

fn say(handle: &ServerHandle<Work>, _: &Peer<News>) -> &'static str {
    assert!(handle.broadcast(&News::Say).delivered > 0);
    "ok"
}

fn leave(_: &ServerHandle<Work>, peer: &Peer<News>) -> &'static str {
    notice(peer.leave(Trap))
}

fn ask(_: &ServerHandle<Work>, peer: &Peer<News>) -> &'static str {
    told(peer.ask())
}

fn give(_: &ServerHandle<Work>, peer: &Peer<News>) -> &'static str {
    told(peer.give())
}

fn part(_: &ServerHandle<Work>, peer: &Peer<News>) -> &'static str {
    peer.close();
    "ok"
}

fn nothing(_: &ServerHandle<Work>, _: &Peer<News>) -> &'static str {
    "ok"
}

/// More than the ring and the queue take, however much is read meanwhile.
fn flood(handle: &ServerHandle<Work>, _: &Peer<News>) -> &'static str {
    while handle.broadcast(&News::Say).missed == 0 {}
    "ok"
}

const CLIENT_PLACES: &[(&str, ClientPlace)] = &[
    ("on_event", at("client-closures", Spot::Run, say, "ok")),
    ("a method, of an event", at("client", Spot::Run, say, "ok")),
    ("a method, of an event with a reply", at("client", Spot::Run, ask, "panicked")),
    ("the closure of serve_events_fn", at("client-whole", Spot::Run, ask, "panicked")),
    ("Deserialize of an event, for a closure", at("client-closures", Spot::Decode, leave, "ok")),
    ("Deserialize of an event", at("client", Spot::Decode, leave, "ok")),
    ("Drop of an event", at("client", Spot::DropValue, leave, "ok")),
    ("Drop of an event, after on_event", at("client-closures", Spot::DropValue, leave, "ok")),
    ("Serialize of an event's reply", at("client", Spot::Encode, give, "panicked")),
    ("Drop of an event's reply", at("client", Spot::DropValue, give, "ok")),
    ("peer_arrived", at("client", Spot::Arrive, nothing, "ok")),
    ("messages_missed", at("client", Spot::Missed, flood, "ok")),
    ("on_missed", at("client-closures", Spot::Missed, flood, "ok")),
    ("peer_departed", at("client", Spot::Depart, part, "ok")),
    ("on_departure", at("client-closures", Spot::Depart, part, "ok")),
];

const fn at(
    form: &'static str,
    spot: Spot,
    come: fn(&ServerHandle<Work>, &Peer<News>) -> &'static str,
    panic_tells: &'static str,
) -> ClientPlace {
    ClientPlace { form, spot, come, panic_tells }
}

/// The only other client than `witness`, once it is there.
fn other(handle: &ServerHandle<Work>, witness: &Client<Work>) -> Peer<News> {
    loop {
        let peers = handle.peers();
        if let Some(peer) = peers.into_iter().find(|peer| peer.id() != witness.id()) {
            return peer.with_deadline(Duration::from_secs(20));
        }
        thread::yield_now();
    }
}

fn until_alone(witness: &Client<Work>) -> Vec<String> {
    loop {
        let (links, departures) = witness.links().unwrap();
        if links == 1 {
            return departures;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A server here, with a witness.
fn serve() -> (String, Running<Work>, Client<Work>) {
    let name = unique_name("deed");
    let server = Server::<Work>::builder(&name).ring_size(4096).max_queued(4096);
    let running = server.bind().unwrap().serve(Worker::default()).unwrap();
    let witness = Client::<Work>::builder(&name).deadline(Duration::from_secs(20));
    let witness = witness.connect().unwrap();
    (name, running, witness)
}

fn on_a_client(deed: Deed) {
    for (what, place) in CLIENT_PLACES {
        if place.spot == Spot::Arrive && matches!(deed, Deed::End | Deed::CallBack) {
            // Nobody has the client yet.
            continue;
        }
        let _watchdog = Watchdog::start(60);
        println!("{what}: {deed:?}");
        let (name, running, witness) = serve();
        let mut doer = Doer::start(DOER, &name, place.form, place.spot, deed);
        let handle = running.handle();
        let arrives = place.spot == Spot::Arrive;
        let came = (!arrives).then(|| {
            let peer = other(&handle, &witness);
            thread::spawn({
                let (handle, come) = (handle.clone(), place.come);
                move || come(&handle, &peer)
            })
        });
        doer.expect("doing");
        let departs = place.spot == Spot::Depart;
        if deed == Deed::Block {
            // Its own callers go on, and so do all others.
            let expected = if departs { "closed the link" } else { "Ok(())" };
            let asked = doer.order("ask");
            assert!(asked.contains(expected), "{what}: {asked}");
            assert_eq!(told(witness.ask()), "ok", "{what}");
            doer.say("go on");
        }
        let came = came.map_or("ok", |came| came.join().unwrap());
        check_what_the_server_was_told(what, place, deed, came, &mut doer);
        if deed == Deed::Exit || deed == Deed::End || departs {
            let departures = until_alone(&witness);
            assert_eq!(departures.len(), 1, "{what}: {departures:?}");
        } else {
            assert_eq!(doer.order("connected"), "true", "{what}");
            assert_eq!(doer.order("ask"), "Ok(())", "{what}");
            if place.form != "client-closures" {
                assert_eq!(told(other(&handle, &witness).ask()), "ok", "{what}");
            }
        }
        if deed != Deed::Exit {
            check_that_closures_go(what, deed == Deed::End || departs, &mut doer);
            until_alone(&witness);
        }
        assert_eq!(told(witness.ask()), "ok", "{what}");
        running.stop().unwrap();
    }
}

fn check_what_the_server_was_told(
    what: &str,
    place: &ClientPlace,
    deed: Deed,
    came: &str,
    doer: &mut Doer,
) {
    match deed {
        Deed::Panic | Deed::PanicTwice => assert_eq!(came, place.panic_tells, "{what}"),
        Deed::Block => assert_eq!(came, "ok", "{what}"),
        Deed::Fork => {
            assert_eq!(came, "ok", "{what}");
            doer.expect("child ended");
        }
        Deed::CallBack => {
            let line = doer.expect("send: ");
            let (departs, encodes) = (place.spot == Spot::Depart, place.spot == Spot::Encode);
            let refused = line.matches("is being encoded on this thread").count() == 2;
            assert_eq!(refused, encodes, "{what}: {line}");
            let works = line == "send: Ok(()), call: Ok(())";
            assert_eq!(works, !departs && !encodes, "{what}: {line}");
            assert_eq!(came, "ok", "{what}");
        }
        Deed::End => assert!(matches!(came, "ok" | "gone"), "{what}: {came}"),
        Deed::Exit => {
            assert!(matches!(came, "ok" | "gone"), "{what}: {came}");
            assert_eq!(doer.exit_code(), 7, "{what}");
        }
    }
}

/// Handler and closures go with their link, whatever they did.
fn check_that_closures_go(what: &str, has_ended: bool, doer: &mut Doer) {
    if !has_ended {
        assert_eq!(doer.order("drop"), "done", "{what}");
    }
    if !doer.has_said("handler dropped") {
        doer.expect("handler dropped");
    }
}

#[test]
fn a_client_whose_user_code_panics() {
    on_a_client(Deed::Panic);
}

#[test]
fn a_client_whose_user_code_panics_with_what_panics_when_dropped() {
    on_a_client(Deed::PanicTwice);
}

#[test]
fn a_client_whose_user_code_blocks() {
    on_a_client(Deed::Block);
}

#[test]
fn a_client_whose_user_code_calls_back() {
    on_a_client(Deed::CallBack);
}

#[test]
fn a_client_whose_user_code_closes_and_drops_it() {
    on_a_client(Deed::End);
}

#[test]
fn a_client_whose_user_code_forks() {
    on_a_client(Deed::Fork);
}

#[test]
fn a_client_whose_user_code_exits() {
    on_a_client(Deed::Exit);
}
