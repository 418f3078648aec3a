//! iceoryx2 in the ways that its documentation shows: publish-subscribe and request-response of a
//! plain struct, polled; the same struct with its events to sleep on; the enum as bytes; and large
//! payloads in place.

mod node;
mod plain;
mod slices;

use std::process::ExitCode;

use anyhow::bail;

fn main() -> ExitCode {
    bench_kit::main(|plan| match plan.peer.as_str() {
        "iceoryx2-pubsub" => plan.take(&plain::PubSub { event: false }),
        "iceoryx2-event" => plan.take(&plain::PubSub { event: true }),
        "iceoryx2-reqres" => plan.take(&plain::ReqRes),
        "iceoryx2-bincode" => plan.take(&slices::Encoded),
        "iceoryx2-slices" => plan.take(&slices::InPlace),
        other => bail!("this program has no peer {other:?}"),
    })
}
