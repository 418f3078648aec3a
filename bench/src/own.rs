//! The peers in this very program: the library, the physical limits, and the Unix socket. Rivals
//! with crates of their own have programs of their own, under `peers/`.

mod beside;
mod codec;
mod copying;
mod ours;
mod shared;
mod socket;
mod waking;

use anyhow::{Result, bail};
use bench_kit::Plan;

use beside::{Beside, Case};
use codec::Codec;
use copying::Copying;
use ours::{Borrowing, Owning};
use shared::Waiter;
use socket::Socket;
use waking::Pair;

/// Takes the plan's side.
pub(crate) fn take(plan: &Plan) -> Result<()> {
    match plan.peer.as_str() {
        "ours" => plan.take(&Owning::default()),
        "ours-nocrc" => plan.take(&Owning { no_checksums: true, ..Owning::default() }),
        "ours-event" => plan.take(&Owning { event: true, ..Owning::default() }),
        "ours-borrowed" => plan.take(&Borrowing::default()),
        "ours-nocrc-borrowed" => plan.take(&Borrowing { no_checksums: true }),
        "beside-encoding" => plan.take(&Beside(Case::Encoding)),
        "beside-reader" => plan.take(&Beside(Case::Reader)),
        "beside-slow" => plan.take(&Beside(Case::Slow)),
        "beside-unread" => plan.take(&Beside(Case::Unread)),
        "beside-own-encoding" => plan.take(&Beside(Case::OwnEncoding)),
        "beside-own-senders" => plan.take(&Beside(Case::OwnSenders)),
        "limit-atomics" => plan.take(&Pair(Waiter::Spin)),
        "limit-futex" => plan.take(&Pair(Waiter::Futex)),
        "limit-copy" => plan.take(&Copying),
        "limit-codec" => plan.take(&Codec),
        "unix-socket" => plan.take(&Socket { batched: false }),
        "unix-socket-batched" => plan.take(&Socket { batched: true }),
        other => bail!("this program has no peer {other:?}"),
    }
}

/// Clears away what a server of the library that had to be killed has left under its name.
pub(crate) fn clear_ours(name: &str) {
    ours::clear(name);
}
