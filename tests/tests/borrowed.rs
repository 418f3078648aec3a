//! Where borrowed bytes lie: at multiples of 16, at the front of a message, whatever its size and
//! way. (Events and replies own what they carry, so only what a client says can borrow.)

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shmipc::{Client, Context, Doorbell, Server, ShmMessage};
use shmipc_tests::protocol::pattern;
use shmipc_tests::{Watchdog, unique_name, with_both_doorbells};

const RING: usize = 64 << 10;
/// What the derive's docs promise.
const ALIGNMENT: usize = 16;

#[derive(Serialize, Deserialize, ShmMessage)]
enum Carry<'a> {
    /// Where the bytes lie, and whether they are the pattern.
    #[shm(reply = (u64, bool))]
    Ask { bytes: &'a [u8] },
    /// The same, told through a channel.
    Tell { bytes: &'a [u8], number: u32 },
    #[shm(reply = (u64, bool))]
    AskText(&'a str),
    /// Sixteen bytes of numbers before them keep the alignment.
    #[shm(reply = (u64, bool))]
    AskBehind { numbers: [u32; 2], more: u64, bytes: &'a [u8] },
}

struct Scale(mpsc::Sender<(u64, bool)>);

fn weigh(bytes: &[u8]) -> (u64, bool) {
    (bytes.as_ptr().addr() as u64, bytes == pattern(bytes.len()))
}

impl CarryHandler for Scale {
    fn ask(&mut self, _cx: &Context<Carry<'static>>, bytes: &[u8]) -> (u64, bool) {
        weigh(bytes)
    }

    fn tell(&mut self, _cx: &Context<Carry<'static>>, bytes: &[u8], _number: u32) {
        self.0.send(weigh(bytes)).unwrap();
    }

    fn ask_text(&mut self, _cx: &Context<Carry<'static>>, value: &str) -> (u64, bool) {
        (value.as_ptr().addr() as u64, value.bytes().all(|byte| byte == b'x'))
    }

    fn ask_behind(
        &mut self,
        _cx: &Context<Carry<'static>>,
        _numbers: [u32; 2],
        _more: u64,
        bytes: &[u8],
    ) -> (u64, bool) {
        weigh(bytes)
    }
}

with_both_doorbells!(the_first_field_is_aligned_at_every_size,);

fn the_first_field_is_aligned_at_every_size(doorbell: Doorbell) {
    let _watchdog = Watchdog::start(120);
    let name = unique_name("borrowed");
    let server = Server::<Carry<'_>>::builder(&name).doorbell(doorbell).ring_size(RING);
    let (told, tales) = mpsc::channel();
    let _running = server.bind().unwrap().serve(Scale(told)).unwrap();
    let client = Client::<Carry<'_>>::builder(&name);
    let client = client.deadline(Duration::from_secs(60)).connect().unwrap();
    // Frames of a line and more, the largest frames, and fragments; small ones again after large
    // ones, whose memory was given back.
    let around = |center: usize| center - 40..center + 40;
    let large = [1 << 20, (5 << 20) + 3, 3, (9 << 20) + 1, 40, 127 << 10, 128 << 10, 129 << 10];
    let sizes = (0..600).chain(around(RING / 2)).chain(around(RING)).chain(large).chain(0..10);
    for size in sizes {
        let bytes = pattern(size);
        let check = |way: &str, (address, right): (u64, bool)| {
            assert!(right, "{way}, {size} bytes: not what was sent");
            let odd = address % ALIGNMENT as u64;
            assert_eq!(odd, 0, "{way}, {size} bytes: {odd} past a multiple of {ALIGNMENT}");
        };
        check("request", client.ask(&bytes).unwrap());
        client.tell(&bytes, 7).unwrap();
        check("notice", tales.recv_timeout(Duration::from_secs(60)).unwrap());
        check("text", client.ask_text(&"x".repeat(size)).unwrap());
        check("behind", client.ask_behind([1, 2], 3, &bytes).unwrap());
    }
}
