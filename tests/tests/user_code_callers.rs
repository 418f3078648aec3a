//! User code on the threads of who calls the library, and where handlers and closures are dropped:
//! the second part of `docs/user-code.md`, row by row. Each in a process of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use shmipc::{Client, Running, Server};
use shmipc_tests::deed::{Deed, Spot, Work, WorkClient, Worker};
use shmipc_tests::doer::Doer;
use shmipc_tests::{Watchdog, unique_name};

const DOER: &str = env!("CARGO_BIN_EXE_doer");

fn serve() -> (String, Running<Work>, Client<Work>) {
    let name = unique_name("deed-caller");
    let running = Server::<Work>::bind(&name).unwrap().serve(Worker::default()).unwrap();
    let witness = Client::<Work>::builder(&name).deadline(Duration::from_secs(20));
    let witness = witness.connect().unwrap();
    (name, running, witness)
}

fn until_alone(witness: &Client<Work>) {
    while witness.links().unwrap().0 > 1 {
        thread::sleep(Duration::from_millis(1));
    }
}

/// What is ordered, where its deed is done, and what comes of it if that only takes its time.
const PLACES: [(&str, Spot, &str); 4] = [
    ("leave", Spot::Encode, "Ok(())"),
    ("take", Spot::Encode, "Ok(())"),
    ("give", Spot::Decode, "Ok(())"),
    ("all", Spot::Iterate, "Ok(4)"),
];

fn on_a_callers_thread(deed: Deed) {
    for (order, spot, fine) in PLACES {
        let _watchdog = Watchdog::start(60);
        let (name, running, witness) = serve();
        let mut doer = Doer::start(DOER, &name, "client-closures", spot, deed);
        match deed {
            Deed::Exit => {
                doer.say(order);
                assert_eq!(doer.exit_code(), 7, "{order}");
            }
            Deed::Block => {
                doer.say(order);
                doer.expect("doing");
                assert!(witness.ask().is_ok(), "{order}");
                doer.say("go on");
                assert_eq!(doer.expect(&format!("{order}: ")), format!("{order}: {fine}"));
            }
            _ => {
                let told = doer.order(order);
                match deed {
                    Deed::Panic | Deed::PanicTwice => assert_eq!(told, "panicked", "{order}"),
                    Deed::Fork => {
                        assert_eq!(told, fine, "{order}");
                        assert!(doer.has_said("child ended"), "{order}");
                    }
                    Deed::CallBack => {
                        assert_eq!(told, fine, "{order}");
                        // From inside `Serialize` nothing is sent over the same link; a call from
                        // where a reply is decoded waits for itself, up to
                        // its deadline.
                        let works = doer.has_said("send: Ok(()), call: Ok(())");
                        assert_eq!(works, spot == Spot::Iterate, "{order}");
                    }
                    // What was on its way came or did not; nothing is sent after the end.
                    _ => assert!(told == fine || told.contains("closed"), "{order}: {told}"),
                }
                if deed == Deed::End {
                    assert_eq!(doer.order("connected"), "no client", "{order}");
                } else {
                    assert_eq!(doer.order("connected"), "true", "{order}");
                    assert_eq!(doer.order("ask"), "Ok(())", "{order}");
                    assert_eq!(doer.order("give"), "Ok(())", "{order}");
                    assert_eq!(doer.order("drop"), "done", "{order}");
                }
            }
        }
        if deed != Deed::Block {
            until_alone(&witness);
        }
        assert!(witness.ask().is_ok(), "{order}");
        running.stop().unwrap();
    }
}

#[test]
fn a_caller_whose_user_code_panics() {
    on_a_callers_thread(Deed::Panic);
    on_a_callers_thread(Deed::PanicTwice);
}

#[test]
fn a_caller_whose_user_code_blocks() {
    on_a_callers_thread(Deed::Block);
}

#[test]
fn a_caller_whose_user_code_calls_back() {
    on_a_callers_thread(Deed::CallBack);
}

#[test]
fn a_caller_whose_user_code_closes_and_drops_its_client() {
    on_a_callers_thread(Deed::End);
}

#[test]
fn a_caller_whose_user_code_forks() {
    on_a_callers_thread(Deed::Fork);
}

#[test]
fn a_caller_whose_user_code_exits() {
    on_a_callers_thread(Deed::Exit);
}

#[test]
fn a_broadcast_whose_event_panics_is_the_broadcasters_alone() {
    let _watchdog = Watchdog::start(60);
    for deed in [Deed::Panic, Deed::PanicTwice, Deed::CallBack, Deed::Fork] {
        let name = unique_name("deed-broadcast");
        let mut doer = Doer::start(DOER, &name, "server", Spot::Encode, deed);
        let client = Client::<Work>::builder(&name).on_event(|_| {}).connect().unwrap();
        let panics = matches!(deed, Deed::Panic | Deed::PanicTwice);
        let mut told = doer.order("broadcast");
        if deed == Deed::CallBack {
            // The one from inside its `Serialize` first.
            assert!(told.contains("is being encoded on this thread"), "{told}");
            told = doer.expect("broadcast: ")["broadcast: ".len()..].to_owned();
        }
        assert_eq!(told, if panics { "panicked" } else { "None" });
        assert_eq!(doer.order("broadcast"), "None");
        assert!(client.ask().is_ok());
        assert_eq!(doer.order("stop"), "Some(Ok(()))");
    }
}

#[test]
fn a_handler_whose_drop_does_something_goes_with_its_server() {
    let _watchdog = Watchdog::start(120);
    for form in ["server", "server-whole"] {
        for deed in Deed::ALL {
            let name = unique_name("deed-drop");
            let mut doer = Doer::start(DOER, &name, form, Spot::DropHandler, deed);
            let client = Client::<Work>::connect(&name).unwrap();
            doer.say("stop");
            doer.expect("doing");
            // Whatever it does there, the server has ended for its clients.
            while client.is_connected() {
                thread::sleep(Duration::from_millis(1));
            }
            match deed {
                Deed::Exit => assert_eq!(doer.exit_code(), 7),
                Deed::Block => {
                    doer.say("go on");
                    assert_eq!(doer.expect("stop: "), "stop: Some(Ok(()))");
                }
                Deed::Fork => {
                    doer.expect("child ended");
                    assert_eq!(doer.expect("stop: "), "stop: Some(Ok(()))");
                }
                // The owner is told of a panic, and of what kind if it says.
                Deed::Panic => assert!(doer.expect("stop: ").contains("the deed")),
                Deed::PanicTwice => assert!(doer.expect("stop: ").contains("without a text")),
                _ => assert_eq!(doer.expect("stop: "), "stop: Some(Ok(()))"),
            }
            drop(Server::<Work>::bind(&name).unwrap());
        }
    }
}

#[test]
fn closures_whose_drop_does_something_go_with_their_client() {
    let _watchdog = Watchdog::start(120);
    for form in ["client", "client-whole", "client-closures"] {
        for deed in Deed::ALL {
            let (name, running, witness) = serve();
            let mut doer = Doer::start(DOER, &name, form, Spot::DropHandler, deed);
            doer.say("drop");
            doer.expect("doing");
            until_alone(&witness);
            match deed {
                Deed::Exit => assert_eq!(doer.exit_code(), 7),
                Deed::Block => {
                    doer.say("go on");
                    doer.expect("drop: done");
                }
                Deed::Fork => {
                    doer.expect("child ended");
                    doer.expect("drop: done");
                }
                _ => drop(doer.expect("drop: done")),
            }
            assert!(witness.ask().is_ok());
            running.stop().unwrap();
        }
    }
}
