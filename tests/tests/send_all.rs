//! Many notices at once.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, SendError, Server, ShmMessage};

const WATCHDOG: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize, ShmMessage)]
enum Numbers {
    Number { number: u64, filling: String },
}

struct Pass(mpsc::Sender<u64>);

impl NumbersHandler for Pass {
    fn number(&mut self, _cx: &Context<Numbers>, number: u64, _filling: String) {
        // The test is over when nobody receives any more.
        let _ = self.0.send(number);
    }
}

fn pair(name: &str, spin: Duration) -> (shmipc::Running<Numbers>, Client<Numbers>, Receiver<u64>) {
    let name = format!("test-send-all-{name}-{}", std::process::id());
    let (passed, came) = mpsc::channel();
    let server = Server::builder(&name).ring_size(4096).max_message(16 << 10).spin(spin);
    let running = server.bind().expect("the name is free").serve(Pass(passed)).expect("a thread");
    (running, Client::connect(&name).expect("a server"), came)
}

fn message(number: u64, filling: usize) -> Numbers {
    Numbers::Number { number, filling: "x".repeat(filling) }
}

fn expect(came: &Receiver<u64>, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        assert_eq!(came.recv_timeout(WATCHDOG), Ok(number));
    }
}

/// More than the ring holds, larger ones than fit into it among them, to servers that spin and
/// sleep.
#[test]
fn all_come_in_order() {
    for (name, spin) in [("sleeps", Duration::ZERO), ("spins", Duration::from_millis(100))] {
        let (running, client, came) = pair(name, spin);
        let size = |number| if number % 50 == 49 { 9_000 } else { number as usize % 90 };
        let sent = client.send_all((0..2_000).map(|number| message(number, size(number))));
        assert_eq!(sent.unwrap(), 2_000);
        expect(&came, 0..2_000);
        running.stop().unwrap();
    }
}

/// The last one is told too, whatever their number is, also where the first one found the server
/// awake.
#[test]
fn none_is_left_untold() {
    let (running, client, came) = pair("untold", Duration::ZERO);
    for count in (0..70).chain([1; 10]) {
        // Borrowed messages are taken as well.
        let messages: Vec<Numbers> = (0..count).map(|number| message(number, 3)).collect();
        assert_eq!(client.send_all(&messages).unwrap(), messages.len());
        expect(&came, 0..count);
    }
    running.stop().unwrap();
}

/// A panic of the iterator passes on, and what was sent before it is told.
#[test]
fn what_was_sent_before_a_panic_comes() {
    let (running, client, came) = pair("panic", Duration::ZERO);
    let messages = (0..40).map(|number| {
        assert!(number < 37, "enough");
        message(number, 3)
    });
    let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.send_all(messages)));
    assert!(sent.is_err());
    expect(&came, 0..37);
    running.stop().unwrap();
}

#[test]
fn an_error_says_how_many_were_sent_before() {
    let (running, client, came) = pair("error", Duration::ZERO);
    let sizes = [1, 2, 3, 20_000, 5];
    let messages = (0..).zip(sizes).map(|(number, size)| message(number, size));
    let error = client.send_all(messages).unwrap_err();
    assert_eq!(error.sent, 3);
    assert!(matches!(error.error, SendError::TooLarge { maximum: 16_384, .. }), "{error}");
    assert!(error.to_string().starts_with("after 3 messages were sent"), "{error}");
    expect(&came, 0..3);
    running.stop().unwrap();
    let error = client.send_all([message(9, 9)]).unwrap_err();
    assert_eq!(error.sent, 0);
}
